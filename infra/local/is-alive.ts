/** Whether a process of this id runs. */
export function isAlive(pid: number): boolean {
  try {
    // Signal 0 only asks whether the process is there.
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
