/**
 * Keeps what was entered while a person signs in again, which loads the page again: in this tab only, until the view is
 * opened again. It has no secrets: a connector's fields can be read by everyone who may read connectors.
 */
import { type Connector, type Draft, draftOf } from './draft.ts'

export interface KeptInput {
  draft: Draft
  base: Connector | null
  /** ISO 8601. */
  at: string
}

const key = 'mailflow-connector-input'

/** To whom the input is shown again, and where. */
interface Place {
  /** Path of the view. */
  path: string
  /** Name of the person, so that another one in the same tab does not see it. */
  person: string
}

type Stored = KeptInput & Place

/** Input for which the browser has no room is not kept. */
export function keepInput(input: KeptInput, place: Place): void {
  const stored: Stored = { ...input, ...place }
  try {
    sessionStorage.setItem(key, JSON.stringify(stored))
  } catch {
    dropKeptInput()
  }
}

/** @returns the input that was kept for this view; null if there is none. It is returned once */
export function takeKeptInput({ path, person }: Place): KeptInput | null {
  const stored = readStored()
  if (stored === null || stored.path !== path || stored.person !== person) return null
  dropKeptInput()
  return stored
}

export const dropKeptInput = (): void => sessionStorage.removeItem(key)

/** An earlier version of the console may have stored it, without fields of this one. */
function readStored(): Stored | null {
  try {
    const stored = JSON.parse(sessionStorage.getItem(key) ?? 'null') as Stored
    const { direction, values } = stored.draft
    if (direction !== 'inbound' && direction !== 'outbound') return null
    return { ...stored, draft: { direction, values: { ...draftOf(direction, {}).values, ...values } } }
  } catch {
    return null
  }
}
