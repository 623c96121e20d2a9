/** A minimal client of the HTTP API. */
export class ApiClient {
  readonly #base: string

  constructor(base: string) {
    this.#base = base
  }

  get<T>(path: string): Promise<T> {
    return this.#call('GET', path) as Promise<T>
  }

  async post(path: string, body: object): Promise<void> {
    await this.#call('POST', path, body)
  }

  async put(path: string, body: object): Promise<void> {
    await this.#call('PUT', path, body)
  }

  /** Whether the gateway has neither connectors nor accepted domains. */
  async isEmpty(): Promise<boolean> {
    const lists = await Promise.all(
      ['/accepted-domains', '/inbound-connectors', '/outbound-connectors'].map((path) =>
        this.get<{ items: unknown[] }>(path),
      ),
    )
    return lists.every(({ items }) => items.length === 0)
  }

  async #call(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.#base}${path}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? null : JSON.parse(text)
  }
}
