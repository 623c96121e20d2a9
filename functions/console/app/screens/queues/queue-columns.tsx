/** The columns of mail that waits. */
import type { TableProps } from '@cloudscape-design/components/table'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { ConnectorName } from '../../api/use-connector-names.ts'
import { Countdown } from '../../components/countdown.tsx'
import { octetsText } from '../../components/octets-text.ts'
import { SampleLinks } from '../../components/sample-links.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { noneValue, type Queue } from './acts.ts'
import { queuesPath } from './queues-path.ts'
import { reasonSentence } from './reason-text.ts'

/** Time in which a person can still act. */
const warningMs = 4 * 3_600_000

export const queueColumns = (
  connectors: readonly ConnectorName[],
): readonly TableProps.ColumnDefinition<Queue>[] => [
  {
    id: 'partner',
    header: 'Partner',
    isRowHeader: true,
    minWidth: 150,
    cell: ({ partner, direction }) => (
      <>
        <ViewLink to={queuesPath({ partner: partner ?? noneValue })}>
          {partner === null ? 'none' : <TextOfOthers text={partner} />}
        </ViewLink>
        <div className="secondary">{direction}</div>
      </>
    ),
  },
  {
    id: 'reason',
    header: 'Reason and connector',
    minWidth: 180,
    cell: ({ reason, connector }) => (
      <>
        <div>{reason}</div>
        <div className="secondary">{reasonSentence(reason)}</div>
        <div>
          <ViewLink to={queuesPath({ connector: connector ?? noneValue })}>
            {connector === null ? (
              'no connector'
            ) : (
              <TextOfOthers text={connectors.find(({ id }) => id === connector)?.name ?? connector} />
            )}
          </ViewLink>
        </div>
      </>
    ),
  },
  {
    id: 'recipients',
    header: <span className="number-heading">Recipients</span>,
    cell: ({ recipients, messages, octets }) => (
      <>
        <div className="number">{recipients.toLocaleString()}</div>
        <div className="number secondary">{countText(messages, 'message')}</div>
        <div className="number secondary">{octetsText(octets)}</div>
      </>
    ),
  },
  { id: 'oldest', header: 'Oldest', minWidth: 100, cell: ({ oldest }) => <Time at={oldest} /> },
  {
    id: 'next',
    header: 'Next attempt',
    minWidth: 100,
    cell: ({ nextAttempt }) => <Time at={nextAttempt} />,
  },
  {
    id: 'expires',
    header: 'Expires in',
    minWidth: 110,
    cell: ({ expires }) => <Countdown at={expires} warningMs={warningMs} />,
  },
  {
    id: 'samples',
    header: 'First to expire',
    minWidth: 100,
    cell: ({ samples }) => <SampleLinks ids={samples} />,
  },
]
