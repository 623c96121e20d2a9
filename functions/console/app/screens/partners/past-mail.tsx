/** What an inbound connector would have done with the mail of the last days. */
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { useQuery } from '@tanstack/react-query'
import type { ApiError } from '../../api/api-error.ts'
import type { InboundValidation } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { useMay } from '../../api/use-roles.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { concernedMailText } from './stage-change.ts'
import { connectorPath } from './use-connectors.ts'

interface PastMailProps {
  id: string
  /** Whether the connector is removed, so that only the amount of mail matters. */
  isRemoval: boolean
}

export function PastMail({ id, isRemoval }: PastMailProps) {
  const api = useApi()
  const mayOperate = useMay('operate')
  const path = `${connectorPath('inbound', id)}/validate`
  const { data, error } = useQuery<InboundValidation, ApiError>({
    queryKey: [path],
    queryFn: () => api.send('POST', path),
    enabled: mayOperate,
    retry: false,
  })
  if (!mayOperate) return null
  if (error)
    return <StatusIndicator type="warning">Past mail was not checked: {error.message}</StatusIndicator>
  if (!data) return <StatusIndicator type="loading">Checking the mail of the last 7 days</StatusIndicator>
  if (isRemoval) return <StatusIndicator type="info">{concernedMailText(data)}</StatusIndicator>
  return (
    <div>
      <StatusIndicator type={data.failing.length > 0 ? 'warning' : 'success'}>
        <TextOfOthers text={data.summary} />
      </StatusIndicator>
      <ul className="sentences">
        {data.failing.map(({ reason, count, explanation }) => (
          <li key={reason}>
            {count} × {reason}: <TextOfOthers text={explanation} />
          </li>
        ))}
      </ul>
    </div>
  )
}
