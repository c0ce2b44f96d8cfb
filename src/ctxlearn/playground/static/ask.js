// Questions to the server. Each asker has one question under way; of those that come meanwhile only the last is asked.

export class Asker {
  constructor(about, answered, refused = () => {}) {
    Object.assign(this, { about, answered, refused, busy: false, next: null });
  }

  ask(query, note) {
    this.next = { query, note };
    if (!this.busy) this.#go();
  }

  drop() {
    this.next = null;
  }

  async #go() {
    this.busy = true;
    while (this.next !== null) {
      const { query, note } = this.next;
      this.next = null;
      try {
        const reply = await fetch(`/about/${this.about}?${query}`);
        const found = await reply.json();
        if (reply.ok) this.answered(found, note);
        else this.refused(found.message, note);
      } catch (error) {
        this.refused("the server does not answer; is ctxlearn playground still running?", note);
      }
    }
    this.busy = false;
  }
}

export async function askOnce(about, query) {
  const reply = await fetch(`/about/${about}?${query}`);
  const found = await reply.json();
  if (!reply.ok) throw new Error(found.message);
  return found;
}
