/** Nothing is sampled: set by `.ci/run` and `npm run test:all`, not by `npm test`. */
export const IS_EXHAUSTIVE = process.env['TEST_EXHAUSTIVE'] === 'true';

/** A part of a suite of `netns` stands for all of it in a guest: see test/vm/conformance-sample.sh. */
export const IS_SAMPLE = process.env['LAB_SAMPLE'] === 'true';
