import type { AfterSaleForm, Cart, Comment, CommentForm, Line, Mine, Order, OrderForm, Product, Provider, Room, ShopFace } from './wire';

/** The shop said no, and changed nothing. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly params: Readonly<Record<string, unknown>>,
  ) {
    super(code);
  }
}

/** No answer that says what happened: a write may or may not have taken place. */
export class NoAnswer extends Error {}

/** The shop itself gives up on a request after 10 s. */
const ANSWER_LIMIT_MS = 12_000;

interface Ask {
  method?: 'GET' | 'POST' | 'PUT';
  body?: unknown;
  key?: string;
}

/** The shop's API for one viewer. */
export class Api {
  constructor(private readonly viewer: string) {}

  face(): Promise<ShopFace> {
    return this.ask('/api/shop');
  }

  room(): Promise<Room> {
    return this.ask('/api/rooms/main');
  }

  async products(): Promise<Product[]> {
    return (await this.ask<{ products: Product[] }>('/api/products')).products;
  }

  mine(): Promise<Mine> {
    return this.ask('/api/coupons/mine');
  }

  async claim(coupon: string): Promise<void> {
    await this.ask(`/api/coupons/${encodeURIComponent(coupon)}/claim`, { method: 'POST' });
  }

  /** The newest ones that are not hidden, oldest first. */
  async comments(): Promise<Comment[]> {
    return (await this.ask<{ comments: Comment[] }>('/api/comments')).comments;
  }

  comment(key: string, form: CommentForm): Promise<Comment> {
    return this.ask('/api/comments', { method: 'POST', body: form, key });
  }

  createCart(): Promise<Cart> {
    return this.ask('/api/carts', { method: 'POST' });
  }

  putLines(cart: string, lines: readonly Line[]): Promise<Cart> {
    return this.ask(`/api/carts/${encodeURIComponent(cart)}/lines`, { method: 'PUT', body: { lines } });
  }

  place(key: string, form: OrderForm): Promise<Order> {
    return this.ask('/api/orders', { method: 'POST', body: form, key });
  }

  async orders(): Promise<Order[]> {
    return (await this.ask<{ orders: Order[] }>('/api/orders')).orders;
  }

  /** The order that was placed with this key, if one was. */
  async placed(key: string): Promise<Order | null> {
    return (await this.ask<{ orders: Order[] }>(`/api/orders?key=${encodeURIComponent(key)}`)).orders[0] ?? null;
  }

  order(id: string): Promise<Order> {
    return this.ask(`/api/orders/${encodeURIComponent(id)}`);
  }

  pay(id: string, provider: Provider): Promise<Order> {
    return this.ask(`/api/orders/${encodeURIComponent(id)}/pay`, { method: 'POST', body: { provider } });
  }

  askAfterSale(id: string, key: string, form: AfterSaleForm): Promise<Order> {
    return this.ask(`/api/orders/${encodeURIComponent(id)}/after-sales`, { method: 'POST', body: form, key });
  }

  private async ask<T>(path: string, { method = 'GET', body, key }: Ask = {}): Promise<T> {
    const headers: Record<string, string> = { 'X-Viewer': this.viewer };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (key !== undefined) headers['Idempotency-Key'] = key;
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), ANSWER_LIMIT_MS);
    let status: number;
    let json: unknown;
    try {
      const init: RequestInit = { method, headers, cache: 'no-store', signal: limit.signal };
      if (body !== undefined) init.body = JSON.stringify(body);
      const answer = await fetch(path, init);
      status = answer.status;
      json = await answer.json();
    } catch (error) {
      throw new NoAnswer(String(error));
    } finally {
      clearTimeout(timer);
    }
    if (status >= 200 && status < 300) return json as T;
    // 5xx: it may have been done all the same, only the answer was lost.
    if (status >= 500) throw new NoAnswer(`status ${status}`);
    const { code, params } = (json ?? {}) as { code?: unknown; params?: unknown };
    throw new Refusal(status, typeof code === 'string' ? code : 'unknown', (params ?? {}) as Record<string, unknown>);
  }
}

