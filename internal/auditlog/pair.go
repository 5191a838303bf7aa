package auditlog

import "time"

// pairer puts the two entries of a request together, and drops those that
// another device wrote down as well. It remembers a request for a window of
// time, so what it holds does not grow with the log.
type pairer struct {
	decoder *decoder
	window  time.Duration
	stats   *Stats
	each    func(Event) bool // false: stop

	known  map[string]*exchange
	order  []*exchange // by when they were first seen
	latest time.Time
}

// exchange is one request to Vault.
type exchange struct {
	id                  string
	at                  time.Time
	request             *Request // until it is told
	seenAsk, seenAnswer bool
}

// add takes the next entry; false if each wants no more.
func (p *pairer) add(e *entry) bool {
	if e.Time.After(p.latest) {
		p.latest = e.Time
	}
	if !p.expire(p.latest.Add(-p.window)) {
		return false
	}
	if e.Time.Before(p.latest.Add(-p.window)) {
		p.stats.OutOfOrder++
	}
	if p.stats.First.IsZero() || e.Time.Before(p.stats.First) {
		p.stats.First = e.Time
	}
	p.stats.Last = p.latest
	x := p.known[e.Request.ID]
	if x == nil {
		x = &exchange{id: e.Request.ID, at: e.Time}
		p.known[x.id] = x
		p.order = append(p.order, x)
	}
	seen := &x.seenAsk
	if e.Type == responseEntry {
		seen = &x.seenAnswer
	}
	if *seen {
		p.stats.Duplicates++
		return true
	}
	*seen = true
	return p.first(x, e)
}

// first takes an entry that was not seen before.
func (p *pairer) first(x *exchange, e *entry) bool {
	if _, ok := p.decoder.role(e); !ok {
		event, ok := leaseEvent(e)
		if !ok {
			return true
		}
		if event.Revocation != nil && event.Revocation.Unknown {
			p.stats.Unattached++
		}
		return p.each(event)
	}
	if e.Type == requestEntry {
		if x.seenAnswer { // behind its response: it was told without
			return true
		}
		x.request = p.decoder.request(e)
		return true
	}
	r := x.request
	if r == nil {
		r = p.decoder.request(e)
		p.stats.Unasked++
	}
	x.request = nil
	r.answered(e)
	return p.each(Event{Time: e.Time, Request: r})
}

// expire forgets what is older, and tells requests that got no response.
func (p *pairer) expire(before time.Time) bool {
	for len(p.order) > 0 && p.order[0].at.Before(before) {
		x := p.order[0]
		p.order[0] = nil
		p.order = p.order[1:]
		delete(p.known, x.id)
		if x.request != nil && !p.each(Event{Time: x.at, Request: x.request}) {
			return false
		}
	}
	return true
}
