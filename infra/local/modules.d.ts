/** Types of the emulators that bring none, as far as they are used here. */
declare module 'dynalite' {
  import type { Server } from 'node:http'
  /** Tables live in memory, or in a LevelDB at `path`. */
  export default function dynalite(options: { path?: string; createTableMs?: number }): Server
}
