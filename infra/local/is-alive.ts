/** Returns whether a process with this id runs. */
export function isAlive(pid: number): boolean {
  try {
    // Signal 0 only tests that the process exists.
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
