import { type Frame, PcapReader } from './frame.js';
import type { Namespace } from './namespace.js';
import type { LabProcess } from './process.js';
import { eventually } from './wait.js';

const STATISTICS = /(\d+) packets? captured, (\d+) packets? received by filter, (\d+) packets? dropped by kernel/;

/**
 * Records the frames that cross one device, in both directions.
 * It is certain to listen once {@link start} resolves, and to have read everything that crossed before {@link frames}
 * was called.
 */
export class Capture implements AsyncDisposable {
  readonly #process: LabProcess;
  readonly #frames: Frame[] = [];
  /** Frames that the kernel counted before the filter was in place, and that tcpdump threw away. */
  #unfiltered = 0;

  private constructor(namespace: Namespace, device: string, filter: string, snapshotBytes: number) {
    const reader = new PcapReader();
    // Immediate mode and -U: each frame is handed on and written at once, not once a buffer is full.
    this.#process = namespace.spawn(
      [
        'tcpdump',
        '-i',
        device,
        '--immediate-mode',
        '-U',
        '-n',
        '-s',
        String(snapshotBytes),
        '-B',
        '8192',
        '-Z',
        'root',
        '-w',
        '-',
        ...filter.split(' ').filter(Boolean),
      ],
      {
        name: `tcpdump on ${device} in ${namespace.role}`,
        onStdout: (chunk) => this.#frames.push(...reader.push(chunk)),
      },
    );
  }

  /**
   * Starts a capture. tcpdump says "listening" after its socket is bound, so frames sent after this resolves are seen.
   *
   * @param filter a pcap filter expression; empty takes everything
   * @param snapshotBytes how much of each frame is recorded; a veth hands on frames of up to 64 KiB (GSO)
   */
  static async start(namespace: Namespace, device: string, filter = '', snapshotBytes = 160): Promise<Capture> {
    const capture = new Capture(namespace, device, filter, snapshotBytes);
    await capture.#process.waitFor(/listening on/);
    if (filter !== '') await capture.#countUnfiltered();
    return capture;
  }

  /**
   * Resolves with all frames so far, or those since {@link mark}. The kernel's count of frames that passed the filter tells
   * when everything was read.
   *
   * @throws Error when the kernel dropped a frame, so that no proof rests on an incomplete record.
   */
  async frames(since = 0): Promise<readonly Frame[]> {
    await eventually(
      async () => {
        const { captured, received, dropped } = await this.#statistics();
        if (dropped !== 0) throw new Error(`the kernel dropped ${dropped} frames`);
        // A frame that was read late, when the filter came into place, was taken for one that is never read.
        this.#unfiltered = Math.min(this.#unfiltered, received - captured);
        return captured === received - this.#unfiltered && this.#frames.length === captured;
      },
      { what: 'reading every captured frame', timeoutMs: 10_000 },
    );
    return since === 0 ? this.#frames : this.#frames.slice(since);
  }

  /** Resolves with a place in the record that is behind everything that crossed so far, for tests that share a capture. */
  async mark(): Promise<number> {
    return (await this.frames()).length;
  }

  /** Stops and resolves with everything that was recorded. */
  async stop(): Promise<readonly Frame[]> {
    const frames = await this.frames();
    await this.#process.stop();
    return frames;
  }

  /**
   * tcpdump binds its socket first. Until the difference stands still, some of these frames may be on their way to it.
   */
  async #countUnfiltered(): Promise<void> {
    await eventually(
      async () => {
        const { captured, received } = await this.#statistics();
        const isStill = this.#unfiltered === received - captured;
        this.#unfiltered = received - captured;
        return isStill;
      },
      { what: 'the filter in place' },
    );
  }

  async #statistics(): Promise<{ captured: number; received: number; dropped: number }> {
    const from = this.#process.lines.length;
    this.#process.kill('SIGUSR1');
    const [, captured, received, dropped] = await this.#process.waitFor(STATISTICS, { from });
    return { captured: Number(captured), received: Number(received), dropped: Number(dropped) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }
}
