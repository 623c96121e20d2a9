/** The chapters, in reading order. */
import { addresses } from './addresses.ts'
import { administratorRequests } from './administrator-requests.ts'
import { certificates } from './certificates.ts'
import { deferAndHold } from './defer-and-hold.ts'
import { dmarcRequirement } from './dmarc.ts'
import { exchangeOnline } from './exchange-online.ts'
import { keptRequirements } from './kept-requirements.ts'
import type { Chapter } from './notation.ts'
import { onPremises } from './on-premises.ts'
import { outboundSelection } from './outbound-selection.ts'
import { recipientsAndRoutes } from './recipients-and-routes.ts'
import { reportOnly } from './report-only.ts'
import { retriesAndExpiry } from './retries-and-expiry.ts'
import { scope } from './scope.ts'
import { senderDomains } from './sender-domains.ts'
import { tls } from './tls.ts'
import { unreadable } from './unreadable.ts'
import { whichConnector } from './which-connector.ts'

export const chapters: readonly Chapter[] = [
  senderDomains,
  whichConnector,
  tls,
  certificates,
  addresses,
  onPremises,
  exchangeOnline,
  dmarcRequirement,
  scope,
  reportOnly,
  deferAndHold,
  recipientsAndRoutes,
  outboundSelection,
  retriesAndExpiry,
  keptRequirements,
  administratorRequests,
  unreadable,
]
