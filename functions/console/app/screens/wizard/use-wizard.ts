/** The state of the wizard: what is entered, its faults, and the step. */
import { useMemo, useState } from 'react'
import type { ApiError } from '../../api/api-error.ts'
import { faultsByField } from './api-faults.ts'
import {
  bodyOf,
  type Connector,
  type Draft,
  type Faults,
  firstStepWith,
  missingFaults,
  stepOf,
  typedFaults,
  withDirection,
  withValues,
} from './draft.ts'
import { takenNameFault } from './existing-connectors.ts'
import { type Step, steps } from './fields.ts'
import type { Form } from './form.ts'

export interface WizardStart {
  draft: Draft
  /** The connector as the person saw it first; null for a new one. */
  base: Connector | null
  defaultRoute: 'Mx' | 'Ses'
}

/** @param existing all connectors of each direction, as far as they are read */
export function useWizard(
  start: WizardStart,
  existing: Readonly<Record<Draft['direction'], readonly Connector[]>>,
) {
  const [draft, setDraft] = useState(start.draft)
  const [base, setBase] = useState(start.base)
  const [step, setStep] = useState<Step>('FromTo')
  const [apiFaults, setApiFaults] = useState<Faults>({})
  // Steps that the person wanted to leave: what they lack is shown.
  const [tried, setTried] = useState<ReadonlySet<Step>>(new Set())
  const body = useMemo(() => bodyOf(draft), [draft])
  // Another client may have deleted the connector that the wizard began with.
  const others = existing[draft.direction].filter(({ id }) => id !== base?.id && id !== start.base?.id)
  const takenName = takenNameFault(draft, others)
  const typedAlone = useMemo(() => typedFaults(draft), [draft])
  const typed: Faults =
    takenName === null ? typedAlone : { ...typedAlone, name: [...(typedAlone.name ?? []), takenName] }
  const missing = useMemo(() => missingFaults(draft), [draft])

  const form: Form = {
    draft,
    isEdit: base !== null,
    others,
    change: (values) => {
      setDraft(withValues(draft, values))
      setApiFaults(without(apiFaults, Object.keys(values)))
    },
    turn: (direction) => {
      setDraft(withDirection(draft, direction, start.defaultRoute))
      setApiFaults({})
      setTried(new Set())
    },
    faultsOf: (name) => [
      ...(typed[name] ?? []).filter(() => name !== 'name' || isTried(name)),
      ...(isTried(name) ? (missing[name] ?? []) : []),
      ...(apiFaults[name] ?? []),
    ],
  }
  const isTried = (name: string): boolean => tried.has(stepOf(draft.direction, name))
  const allFaults = { ...typed, ...missing }
  const hasFaults = (of: Step): boolean =>
    Object.keys(allFaults).some((name) => stepOf(draft.direction, name) === of)

  return {
    form,
    base,
    body,
    step,
    generalFaults: apiFaults[''] ?? [],
    isStepMarked: (of: Step): boolean =>
      (tried.has(of) && hasFaults(of)) ||
      Object.keys(apiFaults).some((name) => name !== '' && stepOf(draft.direction, name) === of),
    /** Goes to a step, if each step before it has no fault; otherwise to the first that has one. */
    goTo: (wanted: Step): void => {
      const passed = steps.slice(0, steps.indexOf(wanted))
      setTried(new Set([...tried, ...passed]))
      setStep(passed.find(hasFaults) ?? wanted)
    },
    /** @returns whether the draft has no fault that is known here */
    isReady: (): boolean => {
      const first = firstStepWith(draft.direction, allFaults)
      if (first === null) return true
      setTried(new Set(steps))
      setStep(first)
      return false
    },
    /** Shows faults at their fields, and the first step that has one. */
    showApiFaults: (error: ApiError): void => {
      const faults = faultsByField(error.faults, body)
      setApiFaults(faults)
      const first = firstStepWith(draft.direction, faults)
      if (first !== null) setStep(first)
    },
    replace: (merged: Draft, newBase: Connector | null): void => {
      setDraft(merged)
      setBase(newBase)
      setApiFaults({})
    },
  }
}

const without = (faults: Faults, names: readonly string[]): Faults =>
  Object.fromEntries(Object.entries(faults).filter(([name]) => !names.includes(name)))
