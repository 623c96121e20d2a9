/** Builds the page for partners that set up TLS with the organisation or prepare for a new certificate. */
import type { PublishedCertificate, PublishedCertificates } from '../../../shared/contract/certificates.ts'
import { type Preparation, preparationFor, type Step } from '../../../shared/tls/preparation.ts'
import { type Attribute, attributesOf, utcText } from '../../../shared/tls/published-attributes.ts'
import { documentOf } from './document.ts'
import { type Html, html } from './html.ts'

/** The organisation whose certificates the page shows. */
export interface Publisher {
  organisation: string
  /** Mail address for questions and subscriptions. */
  contact: string
}

export function certificatesPage(published: PublishedCertificates, publisher: Publisher): string {
  const { hostname, certificates } = published
  const inState = (state: PublishedCertificate['state']) =>
    certificates.filter((each) => each.state === state)
  return documentOf(
    `TLS certificates of ${hostname}`,
    html`<header>
<h1>TLS certificates of ${hostname}</h1>
<p>${receiverText(hostname, publisher)} mail at <strong>${hostname}</strong>, port 25, with STARTTLS. This page is for
administrators whose mail servers require TLS with us. It lists the certificates that we present, the steps that you
have to take, and the dates of changes.</p>
<p class="soft">Last changed ${timeElement(published.changedAt)}. For programs: <a href="certificates.json">certificates.json</a></p>
</header>
<main>
${preparationSection(preparationFor(published))}
${certificateSection('Current', inState('Current'))}
${certificateSection('Next', inState('Next'), inState('Current'))}
${certificateSection('Deprecated', inState('Deprecated'))}
${protocolSection(published)}
${tlsaSection(published)}
${noticeSection(publisher)}
</main>`,
  )
}

/** When no organisation is configured, `organisation` is the host name, and the page says "We". */
const receiverText = (hostname: string, { organisation }: Publisher): string =>
  organisation === hostname ? 'We receive' : `${organisation} receives`

function preparationSection({ changesAt, beforeChange, always }: Preparation): Html {
  return html`<section>
<h2>What you have to do</h2>
${
  changesAt === null
    ? html`<p>No change of our certificates is announced.</p>`
    : html`<div class="card next">
<h3>Before ${timeElement(changesAt)}, when the next certificate is served instead of the current one</h3>
${
  beforeChange.length === 0
    ? html`<p>Nothing: root, addresses, name and key stay as they are.</p>`
    : html`<ul>${beforeChange.map(stepItem)}</ul>`
}
</div>`
}
<h3>To set up TLS with us</h3>
<ul>${always.map(stepItem)}</ul>
</section>`
}

const stepItem = ({ text, items }: Step): Html =>
  html`<li>${text}${codeList(items)}</li>
`

/** @param previous certificates of the section above; a certificate in both sections is not described again */
function certificateSection(
  state: PublishedCertificate['state'],
  certificates: readonly PublishedCertificate[],
  previous: readonly PublishedCertificate[] = [],
): Html {
  if (certificates.length === 0) return html``
  const isAlreadyServed = ({ fingerprint256 }: PublishedCertificate) =>
    previous.some((other) => other.fingerprint256 === fingerprint256)
  return html`<section>
<h2>${state} ${certificates.length > 1 ? 'certificates' : 'certificate'}</h2>
${certificates.map((each) => (isAlreadyServed(each) ? unchangedLine(each) : certificateCard(each)))}
</section>`
}

const unchangedLine = (certificate: PublishedCertificate): Html =>
  html`<p>The certificate ${shortName(certificate)} stays as it is.</p>
`

const shortName = ({ certificateName, keyType, keyStrength }: PublishedCertificate): string =>
  `${certificateName}, ${keyType} ${keyStrength}`

function certificateCard(certificate: PublishedCertificate): Html {
  const { state, fingerprint256 } = certificate
  return html`<article class="card ${state.toLowerCase()}">
<h3><span class="state">${state}</span>: ${shortName(certificate)}</h3>
<dl>
${attributesOf(certificate).map(attributeRow)}
</dl>
<p><a href="certificates/${fingerprint256}.pem">Certificate and its issuers, PEM</a></p>
</article>
`
}

function attributeRow({ name, values, isCode }: Attribute): Html {
  if (values.length === 0) return html``
  const valueElements = values.map(
    (value) => html`<span>${isCode ? html`<code>${value}</code>` : value}</span>`,
  )
  return html`<dt>${name}</dt><dd>${valueElements}</dd>
`
}

const protocolSection = ({ protocol }: PublishedCertificates): Html => html`<section>
<h2>Supported TLS</h2>
<p>In order of preference. All cipher suites have forward secrecy and authenticated encryption; TLS 1.1 and older is refused.</p>
<dl>
<dt>Versions</dt><dd>${protocol.versions.map((version) => html`<span>${version.replace('TLSv', 'TLS ')}</span>`)}</dd>
<dt>Cipher suites</dt><dd>${protocol.cipherSuites.map(codeLine)}</dd>
<dt>Key exchange groups</dt><dd>${protocol.groups.map(codeLine)}</dd>
</dl>
</section>`

const tlsaSection = ({ tlsaRecords }: PublishedCertificates): Html => html`<section>
<h2>TLSA records</h2>
<p>They name the keys of the current and of the next certificate. A mail server that verifies DANE finds them in DNS, if
our zone contains them and is signed by DNSSEC.</p>
${codeList(tlsaRecords)}
</section>`

const noticeSection = ({ contact }: Publisher): Html => html`<section>
<h2>How to learn of changes</h2>
<ul>
<li>A program that reads <a href="certificates.json">certificates.json</a> once a day sees every change in
time: <code>changedAt</code> changes with it.</li>
<li>Changes are announced by mail, through Amazon SNS. To subscribe, write to
<a href="mailto:${contact}">${contact}</a>. Questions go there too.</li>
</ul>
</section>`

const codeList = (texts: readonly string[]): Html =>
  html`<ul class="items">${texts.map((text) => html`<li><code>${text}</code></li>`)}</ul>`

const codeLine = (text: string): Html => html`<span><code>${text}</code></span>`

const timeElement = (iso: string): Html => html`<time datetime="${iso}">${utcText(iso)}</time>`
