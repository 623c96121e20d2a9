/** The standards with which conformance is checked. */
import type { Standard } from './criterion.ts'

export interface StandardTitle {
  readonly names: readonly Standard[]
  readonly title: string
  readonly url: string
}

export const standards: readonly StandardTitle[] = [
  {
    names: ['internet.nl 1.11'],
    title: "internet.nl's test of mail servers, release 1.11.2, with NCSC's guidelines for TLS of 2025",
    url: 'https://github.com/internetstandards/Internet.nl',
  },
  {
    names: ['TR-02102-2'],
    title: 'BSI, cryptographic mechanisms: TLS',
    url: 'https://github.com/BSI-Bund/TaSK',
  },
  {
    names: ['TR-03116-4'],
    title: 'BSI, communication of applications; TR-03108-1 (secure e-mail transport) refers to it for TLS',
    url: 'https://github.com/BSI-Bund/TaSK',
  },
  {
    names: ['TR-03108-1'],
    title: 'BSI, secure e-mail transport',
    url: 'https://www.bsi.bund.de/DE/Publikationen/TechnischeRichtlinien/tr03108/index_htm.html',
  },
  {
    names: ['SP 800-52r2'],
    title: 'NIST, guidelines for TLS implementations',
    url: 'https://doi.org/10.6028/NIST.SP.800-52r2',
  },
  {
    names: ['Mozilla 5.7'],
    title: "Mozilla's server-side TLS, intermediate configuration",
    url: 'https://ssl-config.mozilla.org/guidelines/5.7.json',
  },
  {
    names: ['RFC 8460', 'RFC 8461'],
    title: 'TLS reports, MTA-STS',
    url: 'https://www.rfc-editor.org/rfc/rfc8461',
  },
]
