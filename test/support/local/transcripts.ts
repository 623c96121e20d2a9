/** Runs the transcripts of a page: blocks ```console with commands after `$ ` and their output. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../../..')

export interface Transcript {
  /** The shell script of each command, with its here-document. */
  commands: string[]
  /** The output that the page shows after each command. */
  outputs: string[]
}

/** Reads the transcripts of a page. A here-document belongs to its command. */
export function transcriptsOf(page: string): Transcript[] {
  return [...page.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block = '']) => {
    const steps = block.split(/^\$ /m).slice(1)
    const parts = steps.map((step) => /^([^\n]*<<'END'\n.*?^END\n|[^\n]*\n)(.*)$/ms.exec(step))
    return {
      commands: parts.map((part) => part?.[1] ?? ''),
      outputs: parts.map((part) => part?.[2] ?? ''),
    }
  })
}

/** Runs a command in a shell where `npx mailflow` is this checkout. Returns its output and errors as a terminal shows them. */
export function runInShell(command: string, cwd: string, env: Record<string, string>): Promise<string> {
  const cli = join(root, 'cli/mailflow.js')
  const script = `npx() { shift; '${process.execPath}' '${cli}' "$@"; }\n{ ${command}\n} 2>&1`
  return new Promise((resolve) => {
    execFile('sh', ['-c', script], { cwd, env: { ...process.env, ...env } }, (_, stdout) => resolve(stdout))
  })
}

/** Replaces what differs from run to run. Ids keep their length, because tables depend on it. */
export const comparable = (text: string): string =>
  text
    .replace(/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, (id) => 'X'.repeat(id.length))
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/g, '2026-01-15 12:00:00Z')
    .replace(/--if-version \d+/g, '--if-version N')
    .trimEnd()
