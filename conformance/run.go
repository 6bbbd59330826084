package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// Run runs checks against a registry. The report has a verdict for each selected
// check, and for each that one of them requires, in the order of the list.
//
// Errors: ErrTarget and ErrOptions for what cannot be meant; ctx's when it ended.
// What is wrong with the registry, or keeps it from being looked at, is in the
// report.
func Run(ctx context.Context, t Target, o Options) (*Report, error) {
	base, err := t.base()
	if err != nil {
		return nil, err
	}
	selected, err := o.Select()
	if err = first(err, o.meant(), o.knows()); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	r := &runner{
		target: t, options: o, base: base, keys: &keyring{tokens: map[string]string{}, issued: map[string]bool{}},
		nonce: strconv.FormatInt(o.Clock.Now().UnixNano(), 36),
		slots: make(chan struct{}, o.Parallel), states: map[*Check]*state{}, hung: map[string]bool{},
		manners: o.manners(),
	}
	transport, stop := t.Transport, func() {}
	if transport == nil {
		own := &http.Transport{MaxIdleConnsPerHost: 10, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: headerLimit}
		transport, stop = own, own.CloseIdleConnections
	}
	r.transport = transport
	defer stop()
	if o.Given != "" {
		if r.given, err = r.look(ctx, o.Given); err != nil {
			return nil, &lookError{wire.NewScrubber(append(secretsOf(t), r.keys.secrets()...)...).Secrets(visible(err.Error())), err}
		}
	}
	for _, c := range selected {
		r.states[c] = &state{done: make(chan struct{})}
	}
	limited, cancel := ctx, func() {}
	if o.Deadline > 0 {
		limited, cancel = o.Clock.WithTimeout(ctx, o.Deadline)
	}
	defer cancel()
	var all sync.WaitGroup
	for _, c := range selected {
		all.Go(func() { r.check(limited, c) })
	}
	all.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	report := &Report{Target: t.URL, Profile: o.profileName(), Seed: o.Seed, Prefix: r.place(), LeftBehind: r.keeps.Load() || r.left.Load() || o.Keep, secrets: append(secretsOf(t), r.keys.secrets()...)}
	report.Requests, report.Bytes = r.manners.spent()
	for _, c := range selected {
		report.Verdicts = append(report.Verdicts, r.states[c].verdict)
	}
	report.hide()
	report.apply(o.Known)
	return report, nil
}

// A lookError is why a given image could not be looked at, in words without secrets
// that harm no terminal.
type lookError struct {
	text  string
	cause error
}

func (e *lookError) Error() string { return e.text }

func (e *lookError) Unwrap() error { return e.cause }

// hide takes the secrets out of what is said of the verdicts.
func (r *Report) hide() {
	for i := range r.Verdicts {
		v := &r.Verdicts[i]
		v.Reason = r.clean(v.Reason)
		if v.Violation != nil {
			clean := *v.Violation
			clean.Want, clean.Got, clean.Curl = r.clean(clean.Want), r.clean(clean.Got), r.clean(clean.Curl)
			v.Violation = &clean
		}
		for i := range v.Measured {
			v.Measured[i].Text = r.clean(v.Measured[i].Text)
		}
	}
}

func secretsOf(t Target) []string {
	var list []string
	for _, s := range []string{t.Credentials.Password, t.Credentials.IdentityToken, t.Credentials.RegistryToken} {
		if s != "" {
			list = append(list, s)
		}
	}
	return list
}

// A runner is one Run under way.
type runner struct {
	target    Target
	options   Options
	base      *url.URL
	transport http.RoundTripper
	keys      *keyring
	nonce     string // tells this run's repositories from those of any other
	slots     chan struct{}
	quiet     sync.RWMutex    // held for writing by what runs alone, for reading by the rest
	hung      map[string]bool // root keys of what was waited for in vain with nothing else beside; guarded by quiet
	manners   *manners
	given     *givenContent
	keeps     atomic.Bool
	goesOn    atomic.Bool       // no upload can be cancelled
	left      atomic.Bool       // something that could have been deleted was not
	states    map[*Check]*state // not changed while checks run
	telling   sync.Mutex        // held while Progress runs
}

// A state is a check's verdict, once done is closed.
type state struct {
	done    chan struct{}
	verdict Verdict
}

// place is under what all repositories of the run are.
func (r *runner) place() string { return r.target.prefix() + "/" + r.nonce }

// check waits for what a check requires, and runs it.
func (r *runner) check(ctx context.Context, c *Check) {
	s := r.states[c]
	defer close(s.done)
	s.verdict = Verdict{Check: c}
	for _, used := range c.Uses {
		if other := r.states[used]; other != nil {
			<-other.done
		}
	}
	for _, required := range c.Requires {
		other := r.states[required]
		if other == nil {
			continue // skipped on demand
		}
		<-other.done
		if other.verdict.broken() {
			s.verdict.block(&other.verdict)
			r.tell(s.verdict)
			return
		}
	}
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		s.verdict.Word, s.verdict.Reason = Errored, deadlineOver
		return
	}
	s.verdict = r.beside(ctx, c)
	if v := s.verdict.Violation; v != nil && (c.Timed || strings.Contains(v.Got, timeLimit)) {
		s.verdict = r.control(ctx, c, s.verdict)
	}
	<-r.slots
	r.tell(s.verdict)
}

// control looks again at what hangs on time, with nothing else beside; once for all
// that waited for the same in vain.
func (r *runner) control(ctx context.Context, c *Check, v Verdict) Verdict {
	r.quiet.Lock()
	defer r.quiet.Unlock()
	if !c.Timed && r.hung[v.rootKey()] {
		return v
	}
	v = r.run(ctx, c, "again/")
	if v.Violation != nil && strings.Contains(v.Violation.Got, timeLimit) {
		r.hung[v.rootKey()] = true
	}
	return v
}

// beside runs a check beside the others, unless it must be alone.
func (r *runner) beside(ctx context.Context, c *Check) Verdict {
	if c.Alone {
		r.quiet.Lock()
		defer r.quiet.Unlock()
	} else {
		r.quiet.RLock()
		defer r.quiet.RUnlock()
	}
	return r.run(ctx, c, "")
}

// block says that a verdict hangs on another one.
func (v *Verdict) block(on *Verdict) {
	v.Word, v.BlockedBy = BlockedBy, on.Check.ID
	if on.Word == BlockedBy {
		v.BlockedBy = on.BlockedBy
	}
	v.Reason = "needs " + v.BlockedBy
	if on.Word == Unsupported {
		v.Word, v.BlockedBy, v.Reason = Unsupported, "", on.Reason
	}
}

func (r *runner) tell(v Verdict) {
	if r.options.Progress == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	r.options.Progress(v)
}

// probe makes what a check looks with.
func (r *runner) probe(name string) *Probe {
	p := &Probe{
		Repository: r.place() + "/" + name, Other: r.place() + "/other/" + name,
		base: r.base, credentials: r.target.Credentials, transport: r.transport, keys: r.keys,
		clock: r.options.Clock, timeout: r.options.Timeout, seed: r.options.Seed, keeps: &r.keeps, goesOn: &r.goesOn,
		options: &r.options, manners: r.manners, given: r.given,
	}
	if other := strings.Trim(r.target.Other, "/"); other != "" {
		p.Other = other + "/" + r.nonce + "/" + name
	}
	if r.given != nil {
		p.Repository = r.given.repository
	}
	return p
}

// run runs a check in a new repository.
func (r *runner) run(ctx context.Context, c *Check, below string) Verdict {
	p := r.probe(below + c.ID)
	began := r.options.Clock.Now()
	err := guarded(ctx, c, p)
	v := r.judge(c, err)
	v.Elapsed = r.options.Clock.Now().Sub(began)
	if v.Violation != nil && v.Violation.Exchange == nil && len(p.exchanges) > 0 {
		v.Violation.Exchange = &p.exchanges[len(p.exchanges)-1] // it is about several: the last one stands for them
	}
	v.Exchanges, v.Measured = p.exchanges, p.measured
	if !r.options.Keep {
		r.clean(ctx, p)
	}
	return v
}

// guarded runs a check. One that panics is one that could not tell.
func guarded(ctx context.Context, c *Check, p *Probe) (err error) {
	defer func() {
		if x := recover(); x != nil {
			err = fmt.Errorf("check %s itself is wrong: %v", c.ID, x)
		}
	}()
	return c.Run(ctx, p)
}

// judge makes a verdict of what a check returned.
func (r *runner) judge(c *Check, err error) Verdict {
	v := Verdict{Check: c, Word: Pass}
	var skip *SkipError
	var setup *setupError
	var violation *Violation
	switch {
	case err == nil:
	case errors.As(err, &skip):
		v.Word, v.Reason = Unsupported, skip.Reason
		if skip.FellBack {
			v.Word = FellBack
		}
	case r.suspect(err) != "":
		v.Word, v.BlockedBy = BlockedBy, r.suspect(err)
		v.Reason = "needs " + v.BlockedBy
	case errors.As(err, &setup) && setup.of != c.ID && r.failed(setup.of):
		v.Word, v.BlockedBy, v.Reason = BlockedBy, setup.of, "needs "+setup.of
	case errors.As(err, &violation) && r.sameAs(c, violation) != "":
		v.Word, v.BlockedBy = BlockedBy, r.sameAs(c, violation)
		v.Reason = "needs " + v.BlockedBy
	case errors.As(err, &violation):
		v.Word, v.Reason, v.Violation = wordOf(c.Level), violation.Error(), violation
		if setup != nil && setup.of != c.ID {
			v.Word, v.Reason = Fail, "what "+setup.of+" looks at did not work this time: "+v.Reason
		}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		v.Word, v.Reason = Errored, deadlineOver
	default:
		v.Word, v.Reason = Errored, err.Error()
	}
	return v
}

// deadlineOver is why the checks that a run had no time for could not tell.
const deadlineOver = "the run's time was over"

// sameAs is the ID of a check that this one uses, and that met the same violation;
// "" where there is none.
func (r *runner) sameAs(c *Check, violation *Violation) string {
	mine := Verdict{Violation: violation}
	for _, used := range c.Uses {
		if s := r.states[used]; s != nil && s.verdict.Violation != nil && s.verdict.rootKey() == mine.rootKey() {
			return used.ID
		}
	}
	return ""
}

// suspect is the ID of a check that failed, and looks at what an era's push stopped
// at; "" where there is none.
func (r *runner) suspect(err error) string {
	var push *pushError
	if errors.As(err, &push) {
		for _, id := range push.suspects {
			if r.failed(id) {
				return id
			}
		}
	}
	return ""
}

// failed reports whether a check has run by now and did not pass.
func (r *runner) failed(id string) bool {
	for c, s := range r.states {
		if c.ID != id {
			continue
		}
		select {
		case <-s.done:
			return s.verdict.broken()
		default:
			return false
		}
	}
	return false
}
