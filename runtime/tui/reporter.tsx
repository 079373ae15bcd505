// The live view as a reporter: the same events, the same lines and the same ending as the human reporter, with a few lines below that
// change. Loaded by `import()` only, and only on a terminal: React and Ink cost more than most runs.
import { render } from "ink";
import { paintFor } from "../reporters/paint.ts";
import type { Reporter, RunActions, TerminalStreams } from "../reporters/reporter.ts";
import { App } from "./app.tsx";
import { createTuiStore, type Timers } from "./store.ts";

export interface TuiOptions extends Partial<TerminalStreams> {
  readonly color?: boolean;
  readonly verbose?: boolean;
}

const MAX_FPS = 15;

const hostTimers: Timers = {
  now: () => performance.now(),
  after(ms, run) {
    const handle = setTimeout(run, ms);
    // The view never keeps a process alive that has nothing else to do.
    handle.unref();
    return () => clearTimeout(handle);
  },
};

export function createTuiReporter(actions: RunActions, options: TuiOptions = {}): Reporter {
  const { stdin = process.stdin, stdout = process.stdout, color = true, verbose: isVerbose = false } = options;
  const paint = paintFor(color);
  const store = createTuiStore({ actions, timers: hostTimers, paint, isVerbose });
  const instance = render(<App store={store} paint={paint} />, {
    stdin,
    stdout,
    // ^C belongs to the run: it has reports to write.
    exitOnCtrlC: false,
    patchConsole: true,
    incrementalRendering: true,
    maxFps: MAX_FPS,
    // Whoever asked for this reporter has decided that there is a terminal; Ink would say no under CI=1.
    interactive: true,
  });
  return {
    handle: (event) => store.handle(event),
    async finish(): Promise<void> {
      store.close();
      await instance.waitUntilRenderFlush();
      instance.unmount();
      await instance.waitUntilExit();
      const columns = stdout.columns > 0 ? stdout.columns : 80;
      // The ending begins with an empty line; the empty last frame of Ink is one already.
      const [, ...ending] = store.formatEnd({ paint, columns, isFull: isVerbose });
      const lines = [...store.takeLines(), ...ending];
      stdout.write(`${lines.join("\n")}\n`);
    },
  };
}
