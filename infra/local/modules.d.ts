/** Types of emulators that have none. */
declare module 'dynalite' {
  import type { Server } from 'node:http'
  /** Tables are in memory, or in a LevelDB at `path`. */
  export default function dynalite(options: { path?: string; createTableMs?: number }): Server
}
