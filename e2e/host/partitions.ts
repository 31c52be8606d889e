import type { Image } from './repository.ts';

/** The boot bits of one partition set. The loader takes the highest priority that was successful once or has a try left. */
interface BootBits {
  priority: number;
  triesLeft: number;
  successful: boolean;
}

/** One of the two partition sets. `image` is undefined while it holds nothing, or half an image. */
export interface PartitionSet extends BootBits {
  image: Image | undefined;
}

const device = '/dev/nvme0n1';

const bootable = ({ priority, triesLeft, successful }: BootBits) => successful || (priority > 0 && triesLeft > 0);

/** The two partition sets of a host's disk. Methods that can be refused return the refusal's text. */
export class Disk {
  #active: PartitionSet;
  #inactive: PartitionSet;

  constructor(image: Image) {
    this.#active = { priority: 2, triesLeft: 0, successful: true, image };
    this.#inactive = { priority: 0, triesLeft: 0, successful: false, image: undefined };
  }

  get active(): Readonly<PartitionSet> {
    return this.#active;
  }

  get inactive(): Readonly<PartitionSet> {
    return this.#inactive;
  }

  /** Whether the running set would be booted next. */
  get activeIsNext(): boolean {
    return !bootable(this.#inactive) || this.#active.priority >= this.#inactive.priority;
  }

  /** From here on the previous OS is gone. */
  clearInactive(): void {
    this.#inactive = { priority: 0, triesLeft: 0, successful: false, image: undefined };
  }

  writeInactive(image: Image): void {
    this.#inactive.image = image;
    this.#inactive.triesLeft = 1;
  }

  upgradeToInactive(): string | undefined {
    if (this.#inactive.priority !== 0 || this.#inactive.successful) {
      return `Could not mark inactive partition for boot: Inactive partition ${device} is already marked for upgrade`;
    }
    if (this.#inactive.triesLeft === 0) return notMarkedValid;
    this.#inactive.priority = 2;
    this.#active.priority = 1;
    return undefined;
  }

  cancelUpgrade(): void {
    this.#inactive.priority = 0;
    this.#active.priority = 2;
  }

  /** Boots. A set that never booted before gets its one try, and loses it where `newImageFails` says so. */
  boot(newImageFails: () => boolean): void {
    if (this.activeIsNext) return;
    const next = this.#inactive;
    if (!next.successful) {
      next.triesLeft -= 1;
      if (next.image === undefined || newImageFails()) return;
      next.successful = true;
    }
    this.#inactive = this.#active;
    this.#active = next;
  }
}

export const notMarkedValid = `Could not mark inactive partition for boot: Inactive partition ${device} has not been marked valid for upgrade`;
