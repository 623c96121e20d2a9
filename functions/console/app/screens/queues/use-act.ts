/** Runs an act on mail that waits, and keeps how far it is. */
import { useEffect, useRef, useState } from 'react'
import { useApi } from '../../api/use-api.ts'
import { filterOf, type Queue, type QueueAct } from './acts.ts'
import { type ActResult, emptyResult, sendAct } from './send-act.ts'

export type ActState =
  | { kind: 'Ready'; result: ActResult }
  | { kind: 'Running'; result: ActResult }
  | { kind: 'Failed'; result: ActResult; error: Error }

export function useAct(
  act: QueueAct,
  groups: readonly Queue[],
  onEnd: (result: ActResult, isStopped: boolean) => void,
) {
  const api = useApi()
  const [state, setState] = useState<ActState>({ kind: 'Ready', result: emptyResult })
  const controller = useRef<AbortController | null>(null)
  // Without its page, its progress is not shown, and it cannot be stopped.
  useEffect(() => () => controller.current?.abort(), [])
  const start = async (reason: string): Promise<void> => {
    controller.current = new AbortController()
    const { signal } = controller.current
    let result = emptyResult
    setState({ kind: 'Running', result })
    try {
      const request = { act, filters: groups.map(filterOf), reason }
      await sendAct(
        api,
        request,
        (sum) => {
          result = sum
          setState({ kind: 'Running', result })
        },
        signal,
      )
      onEnd(result, signal.aborted)
    } catch (error) {
      setState({ kind: 'Failed', result, error: error as Error })
    }
  }
  return { state, start: (reason: string) => void start(reason), stop: () => controller.current?.abort() }
}
