/** Reads the files that a command's arguments name. */
import { readFile } from 'node:fs/promises'
import type { Io } from '../command.ts'
import { CommandError } from '../command-error.ts'

/** @param name the file's name, or `-` for standard input */
export async function readText(name: string, io: Io): Promise<{ text: string; name: string }> {
  const octets = await readOctets(name, io)
  const displayName = name === '-' ? 'standard input' : name
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(octets), name: displayName }
  } catch {
    throw new CommandError(`${displayName} is not UTF-8 text`, [
      'Before version 7.4, ">" of PowerShell changes the encoding. Write the file with a newer version or another shell.',
    ])
  }
}

export async function readOctets(name: string, io: Io): Promise<Buffer> {
  if (name === '-') return io.readInput()
  try {
    return await readFile(name)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'is a directory' : code
    throw new CommandError(`cannot read ${name}: ${reason}`)
  }
}
