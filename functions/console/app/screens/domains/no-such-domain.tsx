/** What the page of a domain shows when the gateway does not accept the domain. */
import Alert from '@cloudscape-design/components/alert'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { ViewLink } from '../../components/view-link.tsx'

export const NoSuchDomain = ({ name }: { name: string }) => (
  <Alert type="info" header="This is not an accepted domain">
    The gateway refuses mail for <TextOfOthers text={name} /> from outside: 550 5.7.64. Another person may
    have removed it. <ViewLink to="/domains">All domains</ViewLink>
  </Alert>
)
