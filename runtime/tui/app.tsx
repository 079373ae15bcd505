// The Ink component of the live view. It does three things at each snapshot: writes the lines that finished above the live region, once,
// as one text (not through <Static>, which lays out every line as a React element and keeps an array of all of them), paints the few
// lines of the region, and listens to the keyboard. Lines come preformatted, with colours chosen by the sink and not by Ink.
import { Box, Text, useInput, useStdin, useStdout, useWindowSize } from "ink";
import { useLayoutEffect, useSyncExternalStore } from "react";
import type { ReactElement } from "react";
import type { Paint } from "../reporters/paint.ts";
import { pressKey } from "./keys.ts";
import { formatRegion } from "./region.ts";
import type { TuiStore } from "./store.ts";

export interface AppProps {
  readonly store: TuiStore;
  readonly paint: Paint;
}

export function App({ store, paint }: AppProps): ReactElement | null {
  const snapshot = useSyncExternalStore(store.subscribe, store.getSnapshot);
  const { columns, rows } = useWindowSize();
  const { write } = useStdout();
  const { isRawModeSupported } = useStdin();
  // Without a terminal to read from (`< /dev/null`) the view is for looking only.
  useInput((input, key) => pressKey(store, input, key), { isActive: isRawModeSupported });
  useLayoutEffect(() => {
    const lines = store.takeLines();
    if (lines.length > 0) write(`${lines.join("\n")}\n`);
  }, [snapshot, store, write]);
  const lines = formatRegion(snapshot, { columns, rows }, paint);
  if (lines.length === 0) return null;
  return (
    <Box flexDirection="column">
      {lines.map((line, index) => (
        <Text key={index} wrap="truncate">
          {line === "" ? " " : line}
        </Text>
      ))}
    </Box>
  );
}
