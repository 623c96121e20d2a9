/** The certificates of the ingress, as published to partners, with the records for DANE. */
import Alert from '@cloudscape-design/components/alert'
import Box from '@cloudscape-design/components/box'
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Table, { type TableProps } from '@cloudscape-design/components/table'
import type { PublishedCertificates } from '../../api/types.ts'
import { useRead } from '../../api/use-api.ts'
import { Remote } from '../../components/remote.tsx'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { DaysLeft } from '../partners/days-left.tsx'
import { DaneRecords } from './dane-records.tsx'
import { daysUntil, type OwnCertificate, rotationDate, stateSentences } from './rotation.ts'

export function OwnCertificates() {
  const result = useRead<PublishedCertificates>('/certificates')
  if (result.error?.status === 404 && result.data === undefined)
    return (
      <Container header={<Header variant="h2">Of this gateway</Header>}>
        <Alert type="info" header="No certificate is published yet">
          The first is published within an hour of a deployment. Partners then find it on the public page
          about certificates, and its records for DANE are here.
        </Alert>
      </Container>
    )
  return (
    <Remote what="the certificates of this gateway" result={result}>
      {(published) => (
        <SpaceBetween size="l">
          <OwnTable published={published} />
          <DaneRecords published={published} />
        </SpaceBetween>
      )}
    </Remote>
  )
}

function OwnTable({ published }: { published: PublishedCertificates }) {
  const rotation = rotationDate(published)
  return (
    <Table
      items={published.certificates}
      trackBy="fingerprint256"
      columnDefinitions={columns}
      contentDensity="compact"
      cellVerticalAlign="top"
      wrapLines
      ariaLabels={{ tableLabel: 'Certificates of this gateway' }}
      empty={<Box>No certificate is published.</Box>}
      header={
        <Header
          variant="h2"
          description={
            <>
              Senders see them at <TextOfOthers text={published.hostname} />.{' '}
              {rotation === null ? (
                'No rotation is announced.'
              ) : (
                <>
                  Rotation: <Time at={rotation} />.
                </>
              )}
            </>
          }
        >
          Of this gateway
        </Header>
      }
    />
  )
}

const columns: TableProps.ColumnDefinition<OwnCertificate>[] = [
  {
    id: 'state',
    header: 'State',
    isRowHeader: true,
    minWidth: 110,
    cell: ({ state }) => (
      <>
        <div>{state}</div>
        <small>{stateSentences[state]}</small>
      </>
    ),
  },
  {
    id: 'name',
    header: 'Names',
    minWidth: 150,
    cell: ({ subjectAltNames, certificateName }) => (
      <TextOfOthers text={subjectAltNames.join(', ') || certificateName} />
    ),
  },
  {
    id: 'expires',
    header: 'Expires',
    minWidth: 175,
    cell: ({ validUntil }) => (
      <>
        <div className="unbroken">
          <Time at={validUntil} />
        </div>
        <div>
          <DaysLeft days={daysUntil(validUntil, Date.now())} />
        </div>
      </>
    ),
  },
  {
    id: 'served',
    header: 'Presented',
    cell: ({ servedFrom, servedUntil }) => (
      <>
        {servedFrom !== null && (
          <div>
            from <Time at={servedFrom} />
          </div>
        )}
        {servedUntil !== null && (
          <div>
            until <Time at={servedUntil} />
          </div>
        )}
        {servedFrom === null && servedUntil === null && 'unknown'}
      </>
    ),
  },
  { id: 'issuer', header: 'Issuer', minWidth: 140, cell: ({ issuer }) => <TextOfOthers text={issuer} /> },
  {
    id: 'fingerprint',
    header: 'Key and SHA-256 fingerprint',
    minWidth: 200,
    cell: ({ keyType, keyStrength, fingerprint256 }) => (
      <>
        <div>{`${keyType} ${keyStrength}`}</div>
        <TextOfOthers text={fingerprint256} />
      </>
    ),
  },
]
