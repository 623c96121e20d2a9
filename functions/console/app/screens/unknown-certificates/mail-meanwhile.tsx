/** What happened to the mail with the certificate, and who was asked about it, when. */
import Header from '@cloudscape-design/components/header'
import Table, { type TableProps } from '@cloudscape-design/components/table'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { UnknownCertificate } from '../../api/types.ts'
import { Countdown } from '../../components/countdown.tsx'
import { Time } from '../../components/time.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { type Effect, effectTexts, mailLinkTexts, mailPath } from './unknown-text.ts'

/** The change of the connector has decided it again, or its next attempt does. */
const decidedAgain = 'The mail was held. Since the connector changed, it is decided again.'

const soonMs = 4 * 3_600_000

export function MailMeanwhile({ certificate }: { certificate: UnknownCertificate }) {
  return (
    <Table
      items={certificate.effects}
      trackBy="effect"
      columnDefinitions={columnsOf(certificate)}
      contentDensity="compact"
      cellVerticalAlign="top"
      wrapLines
      ariaLabels={{ tableLabel: 'Mail and notices' }}
      header={
        <Header
          variant="h2"
          description="Notices are mails to the administrators who subscribe to the topic of notices: at most one a day for each effect on mail."
        >
          Mail with this certificate, and notices
        </Header>
      }
    />
  )
}

const columnsOf = (certificate: UnknownCertificate): TableProps.ColumnDefinition<Effect>[] => [
  {
    id: 'effect',
    header: 'What happened to the mail',
    isRowHeader: true,
    minWidth: 220,
    cell: ({ effect, heldUntil }) => (
      <>
        <div>
          {effect === 'Held' && certificate.state === 'Resolved' ? decidedAgain : effectTexts[effect]}
        </div>
        {heldUntil !== null && certificate.state !== 'Resolved' && <HeldUntil at={heldUntil} />}
      </>
    ),
  },
  {
    id: 'when',
    header: 'When',
    cell: ({ firstSeen, lastSeen }) => <Times first={firstSeen} last={lastSeen} />,
  },
  {
    id: 'notices',
    header: 'Notices to administrators',
    cell: ({ notices }) =>
      notices === null ? (
        'none was sent'
      ) : (
        <>
          <div>{countText(notices.count, 'notice')}</div>
          <Times first={notices.first} last={notices.last} />
        </>
      ),
  },
  {
    id: 'mail',
    header: 'Mail',
    cell: (effect) => (
      <ViewLink to={mailPath(effect, certificate, Date.now())}>{mailLinkTexts[effect.effect]}</ViewLink>
    ),
  },
]

const HeldUntil = ({ at }: { at: string }) =>
  Date.parse(at) > Date.now() ? (
    <div>
      The last one bounces in: <Countdown at={at} warningMs={soonMs} />
    </div>
  ) : (
    <div>
      The last one expired on <Time at={at} />.
    </div>
  )

const Times = ({ first, last }: { first: string; last: string }) =>
  first === last ? (
    <Time at={first} />
  ) : (
    <>
      <Time at={first} /> to <Time at={last} />
    </>
  )
