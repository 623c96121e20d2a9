/** The form of the wizard: what is entered, and the faults of each field. */
import { createContext, useContext } from 'react'
import type { Connector, Draft } from './draft.ts'
import type { Values } from './fields.ts'

export interface Form {
  readonly draft: Draft
  /** Whether the connector exists. */
  readonly isEdit: boolean
  /** The other connectors of the draft's direction. */
  readonly others: readonly Connector[]
  change(values: Values): void
  /** Replaces the draft by one of the other direction. */
  turn(direction: Draft['direction']): void
  faultsOf(name: string): readonly string[]
}

export const FormContext = createContext<Form | null>(null)

export function useForm(): Form {
  const form = useContext(FormContext)
  if (form === null) throw new Error('no form of a connector')
  return form
}
