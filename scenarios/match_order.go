package scenarios

// A miss is where a list of expected events stopped matching.
type miss struct {
	part   string // "wire[3]"
	event  Event  // what did not happen
	last   *Event // what was matched before it; nil when nothing was
	after  *seen  // the exchange that matched last; nil when none did
	near   *seen  // an exchange that came closest; nil when none did
	why    string // what was different about near
	reason string // instead of "did not happen"
}

// An orderer matches a list of events against a trace, in order, with gaps.
type orderer struct {
	matcher
	trace []seen
	deep  int   // how far the deepest miss got, in events
	miss  *miss // the deepest
}

// ordered returns nil when the events happened in their order.
func (m matcher) ordered(events []Event, trace []seen, part string) *miss {
	o := &orderer{matcher: m, trace: trace}
	if _, _, ok := o.list(events, part, state{index: 0}); ok {
		return nil
	}
	return o.miss
}

// A state is how far matching has got: the next exchange to look at, and what
// was matched last.
type state struct {
	index  int
	before *seen
	last   *Event
	depth  int
	within string // the layer that a group is about; "" outside
}

// list matches events in order from s, trying later exchanges for an event when
// what follows it cannot be matched otherwise.
func (o *orderer) list(events []Event, part string, s state) (state, int, bool) {
	return o.rest(events, 0, part, s, map[[2]int]bool{})
}

func (o *orderer) rest(events []Event, i int, part string, s state, dead map[[2]int]bool) (state, int, bool) {
	if i == len(events) {
		return s, i, true
	}
	if dead[[2]int{i, s.index}] {
		return s, i, false
	}
	x := events[i]
	name := partIndex(part, i)
	if x.Each != "" || len(x.AnyOrder) > 0 {
		next, ok := o.group(x, name, s)
		if ok {
			if end, n, done := o.rest(events, i+1, part, next, dead); done {
				return end, n, true
			}
		}
		dead[[2]int{i, s.index}] = true
		return s, i, false
	}
	x.Digest = inside(x, s.within)
	found := false
	var near *seen
	var why string
	for j := s.index; j < len(o.trace); j++ {
		ok, about, different := o.match(x, o.trace[j], s.before)
		if !ok {
			if about && near == nil {
				near, why = &o.trace[j], different
			}
			continue
		}
		found = true
		next := state{index: j + 1, before: &o.trace[j], last: &x, depth: s.depth + 1, within: s.within}
		if end, n, done := o.rest(events, i+1, part, next, dead); done {
			return end, n, true
		}
	}
	if !found {
		o.note(s, &miss{part: name, event: x, last: s.last, after: s.before, near: near, why: why})
	}
	dead[[2]int{i, s.index}] = true
	return s, i, false
}

// inside is the content of an event in a group about one layer.
func inside(x Event, layer string) string {
	if x.Digest != "" || layer == "" {
		return x.Digest
	}
	return layer
}

// note keeps the deepest miss, the first of several.
func (o *orderer) note(s state, m *miss) {
	if o.miss == nil || s.depth > o.deep {
		o.deep, o.miss = s.depth, m
	}
}

// group matches "each" and "any-order": every member from the same beginning,
// ending where the last of them ends.
func (o *orderer) group(x Event, part string, s state) (state, bool) {
	end := s
	take := func(next state, ok bool) bool {
		if ok && next.index > end.index {
			end.index, end.before, end.last = next.index, next.before, next.last
		}
		end.depth = max(end.depth, next.depth)
		return ok
	}
	if x.Each != "" {
		for _, l := range o.contents.layers {
			begin := s
			begin.within, begin.depth = l.name, end.depth
			next, _, ok := o.list(x.Wire, part+".wire", begin)
			if !take(next, ok) {
				return s, false
			}
		}
		return end, true
	}
	used := map[int]bool{}
	for i, member := range x.AnyOrder {
		begin := s
		begin.depth = end.depth
		next, ok := o.unused(member, partIndex(part+".any-order", i), begin, used)
		if !take(next, ok) {
			return s, false
		}
	}
	return end, true
}

// unused matches one member of any-order against an exchange that no other took.
func (o *orderer) unused(x Event, part string, s state, used map[int]bool) (state, bool) {
	if x.Each != "" || len(x.AnyOrder) > 0 {
		return o.group(x, part, s)
	}
	x.Digest = inside(x, s.within)
	var near *seen
	var why string
	for j := s.index; j < len(o.trace); j++ {
		if used[j] {
			continue
		}
		ok, about, different := o.match(x, o.trace[j], s.before)
		if ok {
			used[j] = true
			return state{index: j + 1, before: &o.trace[j], last: &x, depth: s.depth + 1, within: s.within}, true
		}
		if about && near == nil {
			near, why = &o.trace[j], different
		}
	}
	o.note(s, &miss{part: part, event: x, last: s.last, after: s.before, near: near, why: why})
	return s, false
}

// exactly returns nil when the events, in their order, are all that happened.
func (m matcher) exactly(events []Event, trace []seen, part string) *miss {
	o := &orderer{matcher: m, trace: trace}
	end, ok := o.run(events, part, state{})
	if ok && end.index == len(trace) {
		return nil
	}
	if ok || o.miss == nil {
		extra := &trace[end.index]
		return &miss{part: part, after: end.before, near: extra, reason: label(*extra) + " is not in the list"}
	}
	return o.miss
}

// run matches events against exchanges that follow each other.
func (o *orderer) run(events []Event, part string, s state) (state, bool) {
	for i, x := range events {
		name := partIndex(part, i)
		var ok bool
		switch {
		case x.Each != "":
			s, ok = o.runMembers(eachLayer(o.contents, x), name+".wire", s)
		case len(x.AnyOrder) > 0:
			var members []member
			for j, one := range x.AnyOrder {
				members = append(members, member{events: []Event{one}, part: partIndex(name+".any-order", j)})
			}
			s, ok = o.runMembers(members, name, s)
		default:
			s, ok = o.runOne(x, name, s)
		}
		if !ok {
			return s, false
		}
	}
	return s, true
}

func (o *orderer) runOne(x Event, part string, s state) (state, bool) {
	x.Digest = inside(x, s.within)
	if s.index >= len(o.trace) {
		o.note(s, &miss{part: part, event: x, last: s.last, after: s.before})
		return s, false
	}
	e := &o.trace[s.index]
	ok, about, why := o.match(x, *e, s.before)
	if !ok {
		if !about {
			why = "came instead"
		}
		o.note(s, &miss{part: part, event: x, last: s.last, after: s.before, near: e, why: why})
		return s, false
	}
	return state{index: s.index + 1, before: e, last: &x, depth: s.depth + 1, within: s.within}, true
}

// A member is one run of a group whose members may come in any order.
type member struct {
	events []Event
	part   string
	layer  string
}

func eachLayer(c *contents, x Event) []member {
	var list []member
	for _, l := range c.layers {
		list = append(list, member{events: x.Wire, layer: l.name})
	}
	return list
}

// runMembers matches the members one after the other, in whichever order they came.
func (o *orderer) runMembers(members []member, part string, s state) (state, bool) {
	if len(members) == 0 {
		return s, true
	}
	for i, one := range members {
		begin := s
		if one.layer != "" {
			begin.within = one.layer
		}
		name := part
		if one.part != "" {
			name = one.part
		}
		next, ok := o.runMember(one, name, begin)
		if !ok {
			continue
		}
		next.within = s.within
		others := append(append([]member{}, members[:i]...), members[i+1:]...)
		if end, ok := o.runMembers(others, part, next); ok {
			return end, true
		}
	}
	return s, false
}

func (o *orderer) runMember(one member, part string, s state) (state, bool) {
	if one.part == "" {
		return o.run(one.events, part, s)
	}
	x := one.events[0]
	if x.Each != "" || len(x.AnyOrder) > 0 {
		return o.run(one.events, part, s)
	}
	return o.runOne(x, part, s)
}
