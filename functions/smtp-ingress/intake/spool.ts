/**
 * Holds large messages while they arrive, each in a file. The attack: every session sends most of a large message,
 * slowly. The defence: large messages occupy disk, up to a limit; in memory a session holds one or two blocks. Each
 * file is unlinked right after it is opened, so that a crash leaves nothing behind and no other process finds it. Not
 * covered: while the disk is full or fails, large messages are refused; other messages are not affected.
 */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants
const fileSuffix = '.spool'

const mebibyte = 1024 * 1024

export interface SpoolEnvironment {
  SPOOL_DIRECTORY?: string | undefined
  SPOOL_MIB: number
  MAX_MESSAGE_SIZE: number
}

/** @throws Error as `Spool.open`, and when the largest message would not fit */
export async function openSpool(environment: SpoolEnvironment): Promise<Spool> {
  const { SPOOL_DIRECTORY: directory = join(tmpdir(), 'mailflow-spool') } = environment
  const { SPOOL_MIB: mebibytes, MAX_MESSAGE_SIZE: maxMessageOctets } = environment
  const octets = mebibytes * mebibyte
  if (octets < maxMessageOctets + receivedFieldOctets)
    throw new Error(`SPOOL_MIB: ${mebibytes} MiB are too few for a message of ${maxMessageOctets} octets`)
  return Spool.open(directory, octets)
}

/** Octets reserved for the Received field that the ingress prepends. */
const receivedFieldOctets = 4096

/** Holds large messages during the data phase. */
export interface MessageSpool {
  readonly freeOctets: number
  /** Opens a new file. If that fails, the first `append` throws. */
  createFile(): SpoolFile
}

export class Spool implements MessageSpool {
  readonly #directory: string
  #freeOctets: number

  private constructor(directory: string, octets: number) {
    this.#directory = directory
    this.#freeOctets = octets
  }

  /**
   * Creates the directory if needed. Removes files of processes that died between open and unlink.
   * @param octets maximum of all files together
   * @throws Error naming the directory when files cannot be written there
   */
  static async open(directory: string, octets: number): Promise<Spool> {
    const spool = new Spool(directory, octets)
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      for (const name of await readdir(directory))
        if (name.endsWith(fileSuffix)) await unlink(join(directory, name)).catch(() => {})
      const probe = spool.createFile()
      await probe.append(Buffer.of(0)).finally(() => probe.discard())
    } catch (error) {
      throw new Error(`spool directory ${directory}: ${(error as Error).message}`)
    }
    return spool
  }

  get freeOctets(): number {
    return this.#freeOctets
  }

  createFile(): SpoolFile {
    return new SpoolFile(this.#directory, {
      reserve: (octets) => {
        if (octets > this.#freeOctets) return false
        this.#freeOctets -= octets
        return true
      },
      release: (octets) => {
        this.#freeOctets += octets
      },
    })
  }
}

/** Thrown when a spool file cannot be written or read. */
export class SpoolError extends Error {
  override readonly name = 'SpoolError'
  /** True when the disk is full; space returns when other messages are stored. */
  readonly isFull: boolean

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.isFull = fullDiskCodes.has((cause as NodeJS.ErrnoException)?.code)
  }
}

/** The error of a spool that has reached its limit, with the code of a full file system. */
const fullDiskError = () => Object.assign(new Error('the spool is full'), { code: 'ENOSPC' })

const fullDiskCodes = new Set<unknown>(['ENOSPC', 'EDQUOT'])

interface OctetAccount {
  /** @returns false, and takes nothing, when too few octets are free */
  reserve(octets: number): boolean
  release(octets: number): void
}

/** An unlinked file. Operations run one after another, in call order. */
export class SpoolFile {
  readonly #account: OctetAccount
  readonly #handle: Promise<FileHandle>
  #lastOperation: Promise<unknown>
  #length = 0
  #discarded: Promise<void> | null = null

  constructor(directory: string, account: OctetAccount) {
    this.#account = account
    this.#handle = openUnlinked(directory)
    this.#lastOperation = this.#handle
    // `append` reports the error.
    this.#handle.catch(() => {})
  }

  get length(): number {
    return this.#length
  }

  /** @param octets must not change until the promise resolves @throws SpoolError */
  async append(octets: Buffer): Promise<void> {
    if (this.#discarded !== null) throw new SpoolError('the file is discarded')
    if (!this.#account.reserve(octets.length)) throw new SpoolError(fullDiskError())
    const position = this.#length
    this.#length += octets.length
    await this.#enqueue((handle) => writeAll(handle, octets, position))
  }

  /** Fills the buffer from a position on. @throws SpoolError */
  async read(into: Buffer, position: number): Promise<void> {
    if (this.#discarded !== null) throw new SpoolError('the file is discarded')
    await this.#enqueue((handle) => readAll(handle, into, position))
  }

  /** Frees the space after all earlier operations. Never rejects. */
  discard(): Promise<void> {
    this.#discarded ??= this.#enqueue((handle) => handle.close())
      .catch(() => {})
      .then(() => this.#account.release(this.#length))
    return this.#discarded
  }

  #enqueue(work: (handle: FileHandle) => Promise<void>): Promise<void> {
    const run = () => this.#handle.then(work)
    const operation = this.#lastOperation.then(run, run).catch((error) => {
      throw new SpoolError(error)
    })
    this.#lastOperation = operation
    return operation
  }
}

/** Creates the directory again if a cleaner of temporary files removed it. */
async function openUnlinked(directory: string): Promise<FileHandle> {
  try {
    return await openAndUnlink(directory)
  } catch (error) {
    if (!isMissing(error)) throw error
    await mkdir(directory, { recursive: true, mode: 0o700 })
    return openAndUnlink(directory)
  }
}

/** The name may already be gone: another process removes the names of all spool files when it starts. */
async function openAndUnlink(directory: string): Promise<FileHandle> {
  const path = join(directory, randomUUID() + fileSuffix)
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
