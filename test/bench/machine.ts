/** Properties of the machine that figures depend on. */
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { median } from './median.ts'

export const machine = (): string =>
  `${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version} (OpenSSL ${process.versions.openssl})`

export const load = (): string => (loadavg()[0] ?? 0).toFixed(1)

/** Names by the type that Linux returns from statfs. */
const fileSystems: Record<number, string> = {
  61267: 'ext4',
  16914836: 'tmpfs',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  2035054128: 'overlayfs',
}

/** The file system of temporary files, and the time it needs to make 4 KB durable. */
export function disk(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mailflow-bench-'))
  try {
    const times = Array.from({ length: 100 }, (_, index) => timeToStore(join(folder, String(index))))
    const { type } = statfsSync(folder)
    return `${fileSystems[type] ?? `file system ${type.toString(16)}`}, ${median(times).toFixed(2)} ms to write 4 KB with fsync`
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function timeToStore(path: string): number {
  const startedAt = performance.now()
  const file = openSync(path, 'wx')
  writeSync(file, Buffer.alloc(4096, 'x'))
  fsyncSync(file)
  closeSync(file)
  return performance.now() - startedAt
}
