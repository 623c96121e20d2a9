/** The wizard for a connector, in the order of the Exchange admin center, with a dry run before it is saved. */
import Button from '@cloudscape-design/components/button'
import Wizard from '@cloudscape-design/components/wizard'
import { type ReactNode, useState } from 'react'
import { useLocation } from 'wouter'
import type { ApiError } from '../../api/api-error.ts'
import type { CallerAnswer } from '../../api/types.ts'
import { useApi, useRead } from '../../api/use-api.ts'
import { setNavigationGuard } from '../../navigation-guard.ts'
import { useSessionEnded } from '../../sign-in/session-state.ts'
import { connectorPath, usePairs } from '../partners/use-connectors.ts'
import { needsWaitingChoice, type WaitingChoice } from '../partners/use-stage-change.ts'
import type { Connector } from './draft.ts'
import { DryRunStep } from './dry-run-step.tsx'
import { type Step, steps } from './fields.ts'
import { FormContext } from './form.ts'
import { FromToStep } from './from-to-step.tsx'
import { dropKeptInput } from './kept-input.ts'
import { LeaveModal } from './leave-modal.tsx'
import { MergeView } from './merge-view.tsx'
import { NameStep } from './name-step.tsx'
import { ReviewStep } from './review-step.tsx'
import { RoutingStep } from './routing-step.tsx'
import { SecurityStep } from './security-step.tsx'
import { stepTexts } from './step-texts.ts'
import { useDryRun } from './use-dry-run.ts'
import { useKeptInput } from './use-kept-input.ts'
import { useLeaveGuard } from './use-leave-guard.ts'
import { type SavedConnector, useSave } from './use-save.ts'
import { UseStep } from './use-step.tsx'
import { useWizard, type WizardStart } from './use-wizard.ts'
import { WizardNotices } from './wizard-notices.tsx'

interface ConnectorWizardProps {
  start: WizardStart
  /** When input was kept that is shown again; ISO 8601. */
  keptAt: string | null
  /** Path of the view to which the person returns. */
  backTo: string
  onSaved(saved: SavedConnector): void
}

export function ConnectorWizard({ start, keptAt, backTo, onSaved }: ConnectorWizardProps) {
  const { inbound, outbound } = usePairs()
  const wizard = useWizard(start, { inbound: inbound.data ?? [], outbound: outbound.data ?? [] })
  const { form, base, body, step } = wizard
  const { direction } = form.draft
  const api = useApi()
  const [, navigate] = useLocation()
  const [isEnforced, setEnforced] = useState(true)
  const [waiting, setWaiting] = useState<WaitingChoice | null | undefined>(undefined)
  const [saved, setSaved] = useState<Connector | 'Deleted' | null>(null)
  const [isSignedOut, setSignedOut] = useState(false)
  /** Whether the person tried to save before the other change was merged. */
  const [isMergeFirst, setMergeFirst] = useState(false)
  const hasEnded = useSessionEnded() || isSignedOut
  const { data: caller } = useRead<CallerAnswer>('/caller')

  const onError = async (error: ApiError) => {
    if (error.status === 401) return setSignedOut(true)
    if (needsWaitingChoice(error)) return setWaiting(waiting ?? null)
    if (base !== null && error.status === 404) return setSaved('Deleted')
    if (base !== null && error.status === 412) {
      const read = await api
        .get<Connector>(connectorPath(direction, base.id))
        .catch((failure: ApiError) => failure)
      return setSaved('version' in read ? read : read.status === 404 ? 'Deleted' : null)
    }
    wizard.showApiFaults(error)
  }
  const save = useSave(
    (connector) => {
      setNavigationGuard(null)
      dropKeptInput()
      onSaved(connector)
    },
    (error) => void onError(error),
  )
  const dryRun = useDryRun((error) => {
    if (error.status === 401) setSignedOut(true)
    else wizard.showApiFaults(error)
  })

  const isUnsaved = keptAt !== null || JSON.stringify(form.draft) !== JSON.stringify(start.draft)
  const leaveGuard = useLeaveGuard(isUnsaved && !hasEnded && !save.isSuccess)
  useKeptInput(
    { draft: form.draft, base },
    { isKept: isUnsaved && !save.isSuccess, hasEnded, person: caller?.name ?? '' },
  )

  const request = { direction, base, body, isEnforced }
  const contents: Readonly<Record<Step, ReactNode>> = {
    FromTo: <FromToStep />,
    Name: <NameStep />,
    Use: <UseStep />,
    Routing: <RoutingStep />,
    Security: <SecurityStep />,
    DryRun: <DryRunStep request={request} dryRun={dryRun} setEnforced={setEnforced} />,
    Review:
      saved !== null && saved !== 'Deleted' && base !== null ? (
        <MergeView
          direction={direction}
          base={base}
          saved={saved}
          entered={body}
          onMerged={(draft, newBase) => {
            setMergeFirst(false)
            wizard.replace(draft, newBase)
            setSaved(null)
            // The choice was made for the connector as it was.
            setWaiting(undefined)
            save.reset()
          }}
        />
      ) : (
        <ReviewStep
          request={request}
          base={base}
          error={save.error}
          faults={wizard.generalFaults}
          hasDryRun={dryRun.result?.state === 'Succeeded' && !dryRun.isOfOther(request)}
          waiting={waiting}
          setWaiting={setWaiting}
        />
      ),
  }
  const submit = () => {
    if (saved !== null) return setMergeFirst(true)
    if (!wizard.isReady()) return
    save.mutate({ direction, base, body, waiting: waiting ?? null })
  }
  return (
    <FormContext value={form}>
      <WizardNotices
        keptAt={keptAt}
        hasEnded={hasEnded}
        isUnsaved={isUnsaved}
        isDeleted={saved === 'Deleted'}
        onCreate={() => {
          wizard.replace(form.draft, null)
          setSaved(null)
          save.reset()
        }}
      />
      <Wizard
        activeStepIndex={steps.indexOf(step)}
        isLoadingNextStep={save.isPending}
        submitButtonText={base === null ? 'Add the connector' : 'Save the connector'}
        onCancel={() => navigate(backTo)}
        onNavigate={({ detail }) => wizard.goTo(steps[detail.requestedStepIndex] ?? 'FromTo')}
        onSubmit={submit}
        {...(base !== null &&
          step !== 'Review' && {
            secondaryActions: <Button onClick={() => wizard.goTo('Review')}>Go to the review</Button>,
          })}
        steps={steps.map((each) => ({
          ...stepTexts(each, form.draft),
          content: contents[each],
          ...(wizard.isStepMarked(each) && { errorText: 'Correct the fields that are marked.' }),
          ...(each === 'Review' &&
            saved !== null &&
            isMergeFirst && { errorText: 'First decide about the other change, above. Then save.' }),
        }))}
      />
      <LeaveModal {...leaveGuard} />
    </FormContext>
  )
}
