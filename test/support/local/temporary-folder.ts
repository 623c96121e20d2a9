/** Folders for the runner's temporary files, so that a test can find files that were not removed. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

/** Creates a folder for a test file, which is removed after the tests. */
export function folderOfTests(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-start-'))
  after(() => rmSync(folder, { recursive: true }))
  return folder
}

export function temporaryFolder(folder: string, name: string): string {
  const temporary = join(folder, name)
  mkdirSync(temporary)
  return temporary
}

export const remainingIn = (temporary: string): string[] =>
  readdirSync(temporary).filter((name) => name.startsWith('mailflow-'))
