/** The columns of observed certificates. */
import CopyToClipboard from '@cloudscape-design/components/copy-to-clipboard'
import type { TableProps } from '@cloudscape-design/components/table'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { ViewLink } from '../../components/view-link.tsx'
import { kindTexts } from '../partners/certificates-seen.tsx'
import { DaysLeft } from '../partners/days-left.tsx'
import type { ObservedRow } from './observed-rows.ts'

/** The copied fingerprint is whole. */
const shownDigits = 12

export const observedColumns: TableProps.ColumnDefinition<ObservedRow>[] = [
  {
    id: 'host',
    header: 'Host',
    sortingField: 'host',
    isRowHeader: true,
    minWidth: 180,
    cell: ({ host }) => <TextOfOthers text={host} />,
  },
  {
    id: 'connector',
    header: 'Connector',
    sortingField: 'connector',
    minWidth: 135,
    cell: ({ connector, domain }) =>
      connector !== null ? (
        <ViewLink to={`/partners/${connector.id}`}>
          <TextOfOthers text={connector.name} />
        </ViewLink>
      ) : domain !== null ? (
        <>
          none (<TextOfOthers text={domain} />)
        </>
      ) : (
        'none'
      ),
  },
  {
    id: 'daysLeft',
    header: 'Days left',
    sortingField: 'daysLeft',
    minWidth: 175,
    cell: ({ certificate }) => (
      <>
        <div className="unbroken">
          <DaysLeft days={certificate.daysLeft} />
        </div>
        <small className="unbroken">
          until <Time at={certificate.notAfter} />
        </small>
      </>
    ),
  },
  {
    id: 'kind',
    header: 'Presented by',
    minWidth: 130,
    cell: ({ kind, certificate }) => (
      <>
        <div>{kind}</div>
        <small>{kindTexts[kind]}</small>
        {certificate.use !== 'InUse' && <div>{certificate.use}</div>}
      </>
    ),
  },
  {
    id: 'issuer',
    header: 'Issuer and SHA-256 fingerprint',
    sortingField: 'issuer',
    minWidth: 180,
    cell: ({ host, certificate: { issuer, fingerprint256 } }) => (
      <>
        <TextOfOthers text={issuer} />
        <div className="unbroken">
          <code title={fingerprint256}>{fingerprint256.slice(0, shownDigits)}…</code>
          <CopyToClipboard
            variant="icon"
            textToCopy={fingerprint256}
            copyButtonAriaLabel={`Copy the fingerprint of ${host}`}
            copySuccessText="Copied"
            copyErrorText="The browser did not copy it"
          />
        </div>
      </>
    ),
  },
  {
    id: 'lastSeen',
    header: 'Last seen',
    sortingField: 'lastSeen',
    minWidth: 120,
    cell: ({ certificate }) => <Time at={certificate.lastSeen} />,
  },
]
