/**
 * Keeps what was entered while a person signs in again, which loads the page again: in this tab only, until the view is
 * opened again. It has no secrets: a connector's fields can be read by everyone who may read connectors.
 */
import type { Connector, Draft } from './draft.ts'

export interface KeptInput {
  draft: Draft
  base: Connector | null
  /** ISO 8601. */
  at: string
}

const key = 'mailflow-connector-input'

interface Stored extends KeptInput {
  path: string
  person: string
}

/** @param person name of the person, so that another one in the same tab does not see it */
export function keepInput(input: KeptInput, person: string): void {
  const stored: Stored = { ...input, path: location.pathname, person }
  sessionStorage.setItem(key, JSON.stringify(stored))
}

/** @returns the input that was kept for this view; null if there is none. It is returned once */
export function takeKeptInput(person: string): KeptInput | null {
  const text = sessionStorage.getItem(key)
  if (text === null) return null
  const stored = JSON.parse(text) as Stored
  if (stored.path !== location.pathname || stored.person !== person) return null
  sessionStorage.removeItem(key)
  return stored
}

export const dropKeptInput = (): void => sessionStorage.removeItem(key)
