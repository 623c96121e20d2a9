/** The HTTP API as an administrator uses it. */
export class ApiClient {
  readonly #base: string

  constructor(base: string) {
    this.#base = base
  }

  async get<T>(path: string): Promise<T> {
    return (await this.#call('GET', path)).body as T
  }

  /** Creates the connector, or brings the one of that name to these settings. */
  async putConnector(collection: string, connector: { name: string }): Promise<void> {
    const { items } = await this.get<{ items: { id: string; name: string }[] }>(collection)
    const existing = items.find(({ name }) => name === connector.name)
    if (existing === undefined) await this.#call('POST', collection, connector)
    else await this.#replace(`${collection}/${existing.id}`, connector)
  }

  async putAcceptedDomain(domain: string): Promise<void> {
    const { items } = await this.get<{ items: { domain: string }[] }>('/accepted-domains')
    if (!items.some((item) => item.domain === domain))
      await this.#call('PUT', `/accepted-domains/${domain}`, {})
  }

  async #replace(path: string, body: object): Promise<void> {
    const { etag } = await this.#call('GET', path)
    await this.#call('PUT', path, body, { 'if-match': etag })
  }

  async #call(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
    const response = await fetch(`${this.#base}${path}`, {
      method,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return {
      body: text === '' ? null : (JSON.parse(text) as unknown),
      etag: response.headers.get('etag') ?? '',
    }
  }
}
