// Property tests draw from one seed, so that a green run stays green: GUESTSPEC_FUZZ_SEED widens the search. Loaded with --import.
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env.GUESTSPEC_FUZZ_SEED ?? 1) });
