/** The folders that the runner writes to: a temporary folder and the state directory. */
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, type WriteStream } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { StartError } from './start-error.ts'

export interface Folders {
  readonly temporary: string
  /** The state directory; without one, the temporary folder. */
  readonly persistent: string
  readonly logs: Logs
}

export function openFolders(stateDirectory: string | null, atStop: (close: () => void) => void): Folders {
  const temporary = mkdtempSync(join(tmpdir(), 'mailflow-'))
  const remove = () => rmSync(temporary, { recursive: true, force: true })
  // The folder contains private keys, so it is removed even when the process exits early.
  process.once('exit', remove)
  atStop(remove)
  const persistent = stateDirectory === null ? temporary : resolve(stateDirectory)
  const logs = join(persistent, 'logs')
  try {
    mkdirSync(logs, { recursive: true })
  } catch (error) {
    throw new StartError(`--state ${stateDirectory}: ${(error as Error).message}`)
  }
  return { temporary, persistent, logs: new Logs(logs) }
}

/** Opens one log file for each unit, `<name>.log`. */
export class Logs {
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  open(name: string): WriteStream {
    const stream = createWriteStream(join(this.directory, `${name}.log`), { flags: 'a' })
    // All execution environments of a function share the stream.
    return stream.setMaxListeners(0)
  }
}
