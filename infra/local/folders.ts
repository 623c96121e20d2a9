/** Where the runner writes: a temporary folder, and the state directory where there is one. */
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, type WriteStream } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { StartError } from './start-error.ts'

export interface Folders {
  readonly temporary: string
  /** What the next start finds again; the temporary folder unless there is a state directory. */
  readonly kept: string
  readonly logs: Logs
}

export function openFolders(stateDirectory: string | null, atStop: (close: () => void) => void): Folders {
  const temporary = mkdtempSync(join(tmpdir(), 'mailflow-'))
  const remove = () => rmSync(temporary, { recursive: true, force: true })
  // It holds private keys, so it is removed even where the process does not wait for its parts.
  process.once('exit', remove)
  atStop(remove)
  const kept = stateDirectory === null ? temporary : resolve(stateDirectory)
  const logs = join(kept, 'logs')
  try {
    mkdirSync(logs, { recursive: true })
  } catch (error) {
    throw new StartError(`--state ${stateDirectory}: ${(error as Error).message}`)
  }
  return { temporary, kept, logs: new Logs(logs) }
}

/** One file for each unit, `<name>.log`. */
export class Logs {
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  open(name: string): WriteStream {
    const stream = createWriteStream(join(this.directory, `${name}.log`), { flags: 'a' })
    // Every execution environment of a function writes here.
    return stream.setMaxListeners(0)
  }
}
