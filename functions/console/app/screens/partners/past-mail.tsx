/** What an inbound connector would have done with the messages of the last days in the message trace. */
import StatusIndicator from '@cloudscape-design/components/status-indicator'
import { useQuery } from '@tanstack/react-query'
import type { ApiError } from '../../api/api-error.ts'
import type { InboundConnector, InboundValidation } from '../../api/types.ts'
import { useApi } from '../../api/use-api.ts'
import { useMay } from '../../api/use-roles.ts'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { connectorPath } from './use-connectors.ts'

export function PastMail({ id, version }: Pick<InboundConnector, 'id' | 'version'>) {
  const api = useApi()
  const mayOperate = useMay('operate')
  const path = `${connectorPath('inbound', id)}/validate`
  const { data, error } = useQuery<InboundValidation, ApiError>({
    queryKey: [path, version],
    queryFn: () => api.send('POST', path),
    enabled: mayOperate,
    retry: false,
  })
  if (!mayOperate) return null
  if (error)
    return (
      <StatusIndicator type="warning">The message trace was not checked: {error.message}</StatusIndicator>
    )
  if (!data)
    return <StatusIndicator type="loading">Checking the message trace of the last 7 days</StatusIndicator>
  return (
    <div>
      <StatusIndicator type={data.failing.length > 0 ? 'warning' : 'success'}>
        Messages in the message trace: <TextOfOthers text={data.summary} />
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
