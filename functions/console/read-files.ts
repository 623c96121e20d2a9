/** Reads the files of the console, which are stored compressed. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface ConsoleFile {
  type: string
  /** gzip */
  compressed: Buffer
  entityTag: string
}

const types: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
  woff2: 'font/woff2',
}

/** @param folder with files `NAME.gz` @returns the files by name */
export function readFiles(folder: string): Map<string, ConsoleFile> {
  return new Map(
    readdirSync(folder).map((stored) => {
      const name = stored.replace(/\.gz$/, '')
      const compressed = readFileSync(join(folder, stored))
      const entityTag = `"${createHash('sha256').update(compressed).digest('base64url').slice(0, 22)}"`
      return [
        name,
        { type: types[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream', compressed, entityTag },
      ]
    }),
  )
}
