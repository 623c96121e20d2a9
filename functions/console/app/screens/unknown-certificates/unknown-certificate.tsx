/** An unknown certificate: old and new side by side, the acts, the notices, and what happened to the mail. */
import Alert from '@cloudscape-design/components/alert'
import ContentLayout from '@cloudscape-design/components/content-layout'
import Flashbar from '@cloudscape-design/components/flashbar'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useState } from 'react'
import { useParams } from 'wouter'
import { mapInvisible } from '../../../../../shared/contract/visible-text.ts'
import type { UnknownCertificate as Certificate } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import { Breadcrumbs } from '../../components/breadcrumbs.tsx'
import { Remote } from '../../components/remote.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { ActList } from './act-list.tsx'
import { Comparison } from './comparison.tsx'
import { Facts } from './facts.tsx'
import { MailMeanwhile } from './mail-meanwhile.tsx'
import { stateTexts } from './unknown-text.ts'
import type { ActNotice } from './use-act.ts'
import { unknownPath } from './use-unknown-certificates.ts'

export default function UnknownCertificate() {
  const { id = '' } = useParams<{ id: string }>()
  const result = useRead<Certificate>(`${unknownPath}/${encodeURIComponent(id)}`)
  const name = result.data ? `Certificate at ${visible(result.data.connector.name)}` : 'Unknown certificate'
  return (
    <ContentLayout
      breadcrumbs={
        <Breadcrumbs above={[{ text: 'Unknown certificates', path: '/unknown-certificates' }]} title={name} />
      }
      header={<Header variant="h1">{name}</Header>}
    >
      {result.error?.status === 404 && result.data === undefined ? (
        <Alert type="info" header="There is no such unknown certificate">
          Entries are deleted 30 days after the certificate was presented last.{' '}
          <ViewLink to="/unknown-certificates">All unknown certificates</ViewLink>
        </Alert>
      ) : (
        <Remote what="the certificate" result={result}>
          {(certificate) => <Content certificate={certificate} />}
        </Remote>
      )}
    </ContentLayout>
  )
}

const visible = (text: string): string => mapInvisible(text, () => '�')

function Content({ certificate }: { certificate: Certificate }) {
  const [notice, setNotice] = useState<ActNotice | null>(null)
  return (
    <SpaceBetween size="l">
      {notice !== null && (
        <Flashbar
          items={[
            {
              id: 'notice',
              type: notice.type,
              header: notice.header,
              content: notice.lines.map((line) => <div key={line}>{line}</div>),
              dismissible: true,
              dismissLabel: 'Dismiss this message',
              onDismiss: () => setNotice(null),
            },
          ]}
        />
      )}
      <Summary certificate={certificate} />
      <Comparison certificate={certificate} />
      <ActList certificate={certificate} onNotice={setNotice} />
      <MailMeanwhile certificate={certificate} />
      <Facts certificate={certificate} />
    </SpaceBetween>
  )
}

function Summary({ certificate: { state, connector, why, dismissal } }: { certificate: Certificate }) {
  return (
    <Alert
      type={state === 'Open' ? 'warning' : state === 'Resolved' ? 'success' : 'info'}
      header={`${state}: ${stateTexts[state]}`}
    >
      <div>
        Connector{' '}
        {connector.version === null ? (
          <TextOfOthers text={`${connector.name}, which is deleted`} />
        ) : (
          <ViewLink to={`/partners/${connector.id}`}>
            <TextOfOthers text={connector.name} />
          </ViewLink>
        )}
        . Fault: <TextOfOthers text={why} />
      </div>
      {dismissal !== null && (
        <div>
          Dismissed by <TextOfOthers text={dismissal.by} /> on <Time at={dismissal.at} />, until{' '}
          <Time at={dismissal.until} />: <TextOfOthers text={dismissal.reason} />
        </div>
      )}
    </Alert>
  )
}
