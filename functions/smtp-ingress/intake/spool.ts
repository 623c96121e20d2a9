/**
 * Large messages while they arrive, each in a file of its own. The attack: as many sessions as the task takes, each
 * with most of a large message, slowly. The defence: what they hold is disk, which is plenty, and counted; of memory
 * a session holds a block or two. A file has no name from the moment it is open, so that nobody finds it and a crash
 * leaves nothing behind. The limit: a disk that is full or fails refuses the large messages of its time, and no other.
 */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants
const suffix = '.spool'

const mebibyte = 1024 * 1024

export interface SpoolEnvironment {
  SPOOL_DIRECTORY?: string | undefined
  SPOOL_MIB: number
  MAX_MESSAGE_SIZE: number
}

/**
 * Opens the spool that the environment names.
 * @throws Error as `Spool.open`, and when the largest message would never find room
 */
export async function openSpool(environment: SpoolEnvironment): Promise<Spool> {
  const { SPOOL_DIRECTORY: directory = join(tmpdir(), 'mailflow-spool') } = environment
  const { SPOOL_MIB: mebibytes, MAX_MESSAGE_SIZE: largest } = environment
  const octets = mebibytes * mebibyte
  if (octets < largest + ownField)
    throw new Error(`SPOOL_MIB: ${mebibytes} MiB hold no message of ${largest} octets`)
  return Spool.open(directory, octets)
}

/** Octets that the field may have which the ingress puts before a message. */
const ownField = 4096

export class Spool {
  readonly #directory: string
  #left: number

  private constructor(directory: string, octets: number) {
    this.#directory = directory
    this.#left = octets
  }

  /**
   * Makes the directory if need be, and removes what a process left there that died between opening a file and
   * taking its name away.
   * @param octets that all its files may have
   * @throws Error naming the directory when files cannot be written there
   */
  static async open(directory: string, octets: number): Promise<Spool> {
    const spool = new Spool(directory, octets)
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      for (const name of await readdir(directory))
        if (name.endsWith(suffix)) await unlink(join(directory, name)).catch(() => {})
      const probe = spool.file()
      await probe.append(Buffer.of(0)).finally(() => probe.discard())
    } catch (error) {
      throw new Error(`spool directory ${directory}: ${(error as Error).message}`)
    }
    return spool
  }

  /** Octets that are not taken. */
  get left(): number {
    return this.#left
  }

  /** A new file. Whether it can be opened is told by the first `append`. */
  file(): SpoolFile {
    return new SpoolFile(this.#directory, {
      take: (octets) => {
        if (octets > this.#left) return false
        this.#left -= octets
        return true
      },
      giveBack: (octets) => {
        this.#left += octets
      },
    })
  }
}

/** A file that cannot be written or read. */
export class SpoolError extends Error {
  override readonly name = 'SpoolError'
  /** There is no room, which there will be when others have been stored. */
  readonly isFull: boolean

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.isFull = full.has((cause as NodeJS.ErrnoException)?.code)
  }
}

/** The account of octets says it as the file system does. */
const noSpace = () => Object.assign(new Error('the spool is full'), { code: 'ENOSPC' })

const full = new Set<unknown>(['ENOSPC', 'EDQUOT'])

interface Account {
  /** @returns false, and nothing is taken, when they are not left */
  take(octets: number): boolean
  giveBack(octets: number): void
}

/** A file without a name. What is asked of it is done in the order it was asked. */
export class SpoolFile {
  readonly #account: Account
  readonly #handle: Promise<FileHandle>
  #last: Promise<unknown>
  #length = 0
  #discarded: Promise<void> | null = null

  constructor(directory: string, account: Account) {
    this.#account = account
    this.#handle = openNameless(directory)
    this.#last = this.#handle
    // Met by whoever appends.
    this.#handle.catch(() => {})
  }

  get length(): number {
    return this.#length
  }

  /** @param octets kept unchanged until it resolves @throws SpoolError */
  async append(octets: Buffer): Promise<void> {
    if (this.#discarded !== null) throw new SpoolError('the file is discarded')
    if (!this.#account.take(octets.length)) throw new SpoolError(noSpace())
    const position = this.#length
    this.#length += octets.length
    await this.#next((handle) => writeAll(handle, octets, position))
  }

  /** Fills the buffer from a position on. @throws SpoolError */
  async read(into: Buffer, position: number): Promise<void> {
    if (this.#discarded !== null) throw new SpoolError('the file is discarded')
    await this.#next((handle) => readAll(handle, into, position))
  }

  /** Gives everything back, after what was asked before. It never rejects. */
  discard(): Promise<void> {
    this.#discarded ??= this.#next((handle) => handle.close())
      .catch(() => {})
      .then(() => this.#account.giveBack(this.#length))
    return this.#discarded
  }

  #next(work: (handle: FileHandle) => Promise<void>): Promise<void> {
    const turn = () => this.#handle.then(work)
    const done = this.#last.then(turn, turn).catch((error) => {
      throw new SpoolError(error)
    })
    this.#last = done
    return done
  }
}

/** The directory is made again if something tidied it away, as happens among a system's temporary files. */
async function openNameless(directory: string): Promise<FileHandle> {
  try {
    return await openAndUnlink(directory)
  } catch (error) {
    if (!isMissing(error)) throw error
    await mkdir(directory, { recursive: true, mode: 0o700 })
    return openAndUnlink(directory)
  }
}

/** The name may be gone already: another process that starts takes away all there are. */
async function openAndUnlink(directory: string): Promise<FileHandle> {
  const path = join(directory, randomUUID() + suffix)
  const handle = await open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    await unlink(path)
  } catch (error) {
    if (isMissing(error)) return handle
    await handle.close()
    throw error
  }
  return handle
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

async function writeAll(handle: FileHandle, octets: Buffer, position: number): Promise<void> {
  for (let from = 0; from < octets.length; ) {
    const { bytesWritten } = await handle.write(octets, from, octets.length - from, position + from)
    from += bytesWritten
  }
}

async function readAll(handle: FileHandle, into: Buffer, position: number): Promise<void> {
  for (let from = 0; from < into.length; ) {
    const { bytesRead } = await handle.read(into, from, into.length - from, position + from)
    if (bytesRead === 0) throw new Error(`the spool file ends after ${position + from} octets`)
    from += bytesRead
  }
}
