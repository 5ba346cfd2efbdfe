/**
 * An endpoint that lives as long as the test that starts it. Apart from `http.ts`, which runs outside of tests too.
 * @module
 */
import { onTestFinished } from 'vitest';
import { startEndpoint, type TestEndpoint, type TestOptions } from './http.ts';

/** It is closed when the test that is running has finished. */
export async function testEndpoint(options: TestOptions = {}): Promise<TestEndpoint> {
  const endpoint = await startEndpoint(options);
  onTestFinished(() => endpoint.close());
  return endpoint;
}
