/** The stages of a connector as a progression, and the acts that lead from one to another. */
import Button from '@cloudscape-design/components/button'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Steps from '@cloudscape-design/components/steps'
import { useState } from 'react'
import type { InboundConnector, OutboundConnector } from '../../api/types.ts'
import { useMay } from '../../api/use-roles.ts'
import type { ConnectorDirection } from './connector-text.ts'
import type { Pair } from './partner-pairs.ts'
import { actText, type StageOrRemoved } from './stage-change.ts'
import { StageConfirmation } from './stage-confirmation.tsx'
import { type Stage, stageOf, stages, stageTexts } from './stages.ts'
import type { Notice } from './use-stage-change.ts'

interface StageProgressProps {
  connector: InboundConnector | OutboundConnector
  direction: ConnectorDirection
  pair: Pair
  onNotice(notice: Notice): void
}

export function StageProgress({ connector, direction, pair, onNotice }: StageProgressProps) {
  const mayAdminister = useMay('administer')
  const [target, setTarget] = useState<StageOrRemoved | null>(null)
  const current = stageOf(direction, connector)
  const position = stages.indexOf(current)
  const texts = stageTexts[direction]
  return (
    <SpaceBetween size="s">
      <Steps
        ariaLabel={`Stages of the ${direction} connector`}
        steps={stages.map((stage, index) => ({
          status: index === position ? statusOf(stage) : 'not-started',
          statusIconAriaLabel: index === position ? 'now' : 'not now',
          header: index === position ? <strong>{texts[stage].label} (now)</strong> : texts[stage].label,
          details: texts[stage].description,
        }))}
      />
      {mayAdminister && (
        <SpaceBetween size="xs" direction="horizontal">
          {[...stages.filter((stage) => stage !== current), 'Removed' as const].map((stage) => (
            <Button
              key={stage}
              ariaLabel={`${actText(direction, stage)}: ${connector.name}`}
              onClick={() => setTarget(stage)}
            >
              {actText(direction, stage)}
            </Button>
          ))}
        </SpaceBetween>
      )}
      {target !== null && (
        <StageConfirmation
          connector={connector}
          direction={direction}
          pair={pair}
          to={target}
          onNotice={onNotice}
          onClose={() => setTarget(null)}
        />
      )}
    </SpaceBetween>
  )
}

const statusOf = (stage: Stage) =>
  (({ Disabled: 'stopped', ReportOnly: 'info', Hold: 'success', Enforce: 'success' }) as const)[stage]
