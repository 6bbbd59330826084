package scenarios

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// A witness is one deliberate change, of the pusher, of the registry or of what
// surrounds them, that a scenario must notice: it shows that the scenario can
// fail.
type witness struct {
	what     string
	changes  changes
	scenario func(*Scenario)
}

// witnesses has at least one change for every file of the library, or for a case
// of it where the file's own does not fit. A scenario fails with each of them by
// an expectation or an invariant, not only because its fault never struck.
var witnesses = map[string][]witness{
	"fallback/fallback":                  {answers(wire.OpV1ImagesPut, http.StatusOK, true)},
	"fallback/no-fallback-once-v2":       {policy("goes on to the next endpoint whatever happened", pusher.Try), withoutFaults},
	"fallback/not-v2":                    {era("takes any answer for V2", func(e *pusher.Era) { e.VersionHeader = false }), endpoints("V2 only", pusher.V2)},
	"fallback/not-v2/reset":              {endpoints("V2 only", pusher.V2), withoutFaults},
	"fallback/ping-status-ignored":       {scenario("the answers do not name the version", func(s *Scenario) { delete(s.Faults[0].Args, "headers") })},
	"fallback/ping-timeout":              {era("pings for 15 s as docker 1.9", func(e *pusher.Era) { e.PingTimeout = 15 * time.Second }), withoutFaults},
	"fallback/ping-slow":                 {era("pings for 3 s", func(e *pusher.Era) { e.PingTimeout = 3 * time.Second })},
	"fallback/v2-half":                   {policy("goes on to the next endpoint whatever happened", pusher.Try), withoutFaults},
	"fallback/last-error-shown":          {endpoints("V2 only", pusher.V2), withoutFaults},
	"fallback/v2-only":                   {scenario("legacy registries are allowed", func(s *Scenario) { s.Client.V2Only = false })},
	"fallback/refused":                   {endpoints("V2 only", pusher.V2), withoutFaults},
	"fallback/tls":                       {era("tries plain http first", func(e *pusher.Era) { slices.Reverse(e.Endpoints) })},
	"fallback/tls-untrusted":             {scenario("the address is insecure", func(s *Scenario) { s.Client.Secure = false }), scenario("the CA is known", func(s *Scenario) { s.Client.Trust = true })},
	"fallback/secure-plain-http":         {scenario("the address is insecure", func(s *Scenario) { s.Client.Secure = false })},
	"fallback/tls-then-plain":            {withoutFaults, endpoints("V2 only", pusher.V2)},
	"auth/basic/right-password":          {users("alice", "other")},
	"auth/basic/wrong-password":          {users("alice", "nope"), repeated("upload.start")},
	"auth/basic/no-password":             {login("alice", "s3cret")},
	"auth/token-dies-mid-upload":         {withoutFaults},
	"auth/bearer":                        {users("alice", "other"), repeated("token"), login("", "")},
	"auth/bearer-wrong-password":         {login("alice", "s3cret"), repeated("token")},
	"auth/bearer-anonymous":              {users("alice", "other"), repeated("token")},
	"auth/token-service-down":            {withoutFaults},
	"auth/token-unusable":                {withoutFaults, repeated("token")},
	"auth/token-lifetime":                {era("keeps a token for ten minutes", func(e *pusher.Era) { e.TokenLifetime = 10 * time.Minute }), withoutFaults},
	"auth/no-reauth":                     {withoutFaults, repeated("token")},
	"auth/no-challenge":                  {withoutFaults},
	"auth/lazy":                          {withoutFaults},
	"auth/odd-challenge":                 {scenario("nobody is asked", func(s *Scenario) { s.Registries[0].Auth = "" })},
	"auth/realm-elsewhere":               {withoutFaults, forgotten("token")},
	"auth/location-elsewhere":            {withoutFaults},
	"blob-exists/blob-exists":            {scenario("no digest is cached", func(s *Scenario) { s.Client.Cache = nil })},
	"blob-exists/second-push":            {answers(wire.OpBlobHead, http.StatusNotFound, false), forgotten("blob.head")},
	"blob-exists/head-errors":            {withoutFaults, repeated("blob.head")},
	"blob-exists/head-says-absent":       {withoutFaults, repeated("upload.start")},
	"blob-exists/head-lies":              {withoutFaults},
	"blob-exists/other-repository":       {scenario("a blob is there in every repository", func(s *Scenario) { s.Registries = []Registry{globalBlobs} })},
	"blob-exists/size-ignored":           {scenario("the layers are not there", func(s *Scenario) { s.Registries[0].Has = nil })},
	"blob-exists/identical-layers":       {forgotten("upload.start"), forgotten("blob.head")},
	"digest-cache/stale-cache":           {scenario("nothing is deleted", func(s *Scenario) { s.Steps = slices.Delete(s.Steps, 1, 2) })},
	"digest-cache/first-push":            {cache(map[string]string{"layer1": "wrong"}), reversed, forgotten("blob.head")},
	"digest-cache/garbage":               {cache(nil)},
	"digest-cache/wrong":                 {cache(nil), answers(wire.OpBlobHead, http.StatusOK, false)},
	"digest-cache/tarsum":                {cache(nil)},
	"digest-cache/kept-after-failure":    {answers(wire.OpBlobHead, http.StatusNotFound, false), withoutFaults},
	"upload/reset-mid-upload":            {withoutFaults, repeated("upload.start")},
	"upload/reset-mid-upload/five-times": {withoutFaults, repeated("upload.patch")},
	"upload/reset-mid-upload/start-over": {withoutFaults, forgotten("upload.patch")},
	"manifest/schema1-fallback":          {scenario("every format is taken", func(s *Scenario) { s.Registries[0].Accepts = nil }), repeated("manifest.put")},
	"upload/order":                       {reversed, forgotten("blob.head")},
	"upload/start-errors":                {withoutFaults, repeated("upload.start")},
	"upload/patch-errors":                {withoutFaults, repeated("upload.patch")},
	"upload/session-vanishes":            {withoutFaults, repeated("upload.start")},
	"upload/location/relative":           {instead("location-missing")},
	"upload/location":                    {withoutFaults},
	"upload/range":                       {withoutFaults, repeated("upload.patch")},
	"upload/put-lost":                    {withoutFaults, instead("commit-fake")},
	"upload/put-fake":                    {withoutFaults, forgotten("blob.head")},
	"upload/put-errors":                  {withoutFaults, repeated("upload.put")},
	"upload/digest-header-ignored":       {instead("commit-fake"), instead("commit-lost")},
	"upload/hangs":                       {withoutFaults, scenario("the push is given up at once", func(s *Scenario) { s.Steps[0].Verb, s.Timeout = VerbPush, 10*time.Minute })},
	"upload/slow":                        {scenario("a minute must be enough", func(s *Scenario) { s.Timeout = time.Minute }), repeated("upload.put")},
	"upload/cancelled":                   {scenario("nobody cancels", func(s *Scenario) { s.Steps[0].Verb = VerbPush })},
	"upload/restart":                     {answers(wire.OpBlobHead, http.StatusNotFound, false)},
	"upload/too-large":                   {withoutFaults, repeated("upload.patch")},
	"upload/redirected":                  {withoutFaults, repeated("upload.patch")},
	"upload/read-only/distribution":      {scenario("it is not", func(s *Scenario) { s.Registries[0].ReadOnly = false })},
	"upload/read-only/fault":             {withoutFaults, repeated("upload.start")},
	"manifest/signed":                    {answers(wire.OpManifestPut, http.StatusCreated, false), repeated("manifest.put")},
	"manifest/errors":                    {withoutFaults, repeated("manifest.put")},
	"manifest/schema1-refused":           {scenario("every format is taken", func(s *Scenario) { s.Registries[0].Accepts = nil })},
	"manifest/answer-ignored":            {answers(wire.OpManifestPut, http.StatusInternalServerError, true), repeated("manifest.put")},
	"manifest/fake":                      {withoutFaults},
	"manifest/lost":                      {withoutFaults, answers(wire.OpManifestPut, http.StatusCreated, false)},
	"manifest/reset":                     {withoutFaults, repeated("manifest.put")},
	"manifest/collected":                 {withoutFaults},
	"manifest/all-tags":                  {tags(map[string]int{"latest": 3}), repeated("ping"), reversed},
	"manifest/later-tag-fails":           {withoutFaults},
	"manifest/redirected":                {withoutFaults},
	"manifest/pushed-again":              {tags(map[string]int{"v1": 2, "v2": 2}), answers(wire.OpBlobHead, http.StatusNotFound, false)},
	"manifest/immutable":                 {withoutFaults, repeated("manifest.put")},
	"v1/first-push":                      {answers(wire.OpV1ChecksumPut, http.StatusOK, false), reversed, forgotten("v1.checksum.put")},
	"v1/second-push":                     {answers(wire.OpV1JSONGet, http.StatusNotFound, false)},
	"v1/errors":                          {withoutFaults},
	"v1/images-not-204":                  {withoutFaults},
	"v1/exists":                          {withoutFaults},
	"v1/interrupted":                     {withoutFaults},
	"v1/no-token":                        {withoutFaults},
	"v1/token/right-password":            {users("alice", "other")},
	"v1/token/wrong-password":            {users("alice", "nope")},
	"v1/other-endpoints":                 {withoutFaults},
	"v1/all-tags":                        {tags(map[string]int{"latest": 2}), reversed},
	"local/missing-tag":                  {tags(map[string]int{"v1": 0, "v2": 0})},
	"local/missing-repository":           {tags(nil)},
	"local/digest-as-tag":                {push("team/app:v1")},
	"local/invalid-name":                 {push("team/app:v1")},
	"local/meta-headers":                 {scenario("no header is asked for", func(s *Scenario) { s.Client.Meta = nil })},
	"local/shown":                        {push("team/app:v1"), answers(wire.OpUploadPut, http.StatusInternalServerError, false)},
}

func TestEveryBuiltInScenarioCanFail(t *testing.T) {
	t.Parallel()
	maps.Copy(witnesses, faultWitnesses)
	maps.Copy(witnesses, eraWitnesses)
	maps.Copy(witnesses, indexWitnesses)
	maps.Copy(witnesses, orneryWitnesses)
	maps.Copy(witnesses, neighbours())
	used := map[string]int{} // how many scenarios the witnesses of a key were for
	for _, s := range List() {
		if SkipReason(s) != "" {
			continue
		}
		key := s.ID
		for witnesses[key] == nil && strings.Contains(key, "/") {
			key = key[:strings.LastIndexAny(key, "/@")]
		}
		turn := used[key]
		used[key]++
		if witnesses[key] == nil {
			t.Errorf("%s has no witness: nobody has seen it fail", s.ID)
		}
		for i, w := range witnesses[key] {
			if !due(len(used), turn, i, len(witnesses[key])) {
				continue
			}
			t.Run(s.ID+": "+w.what, func(t *testing.T) {
				t.Parallel()
				mustFail(t, s, w)
			})
		}
	}
	for key := range witnesses {
		if used[key] == 0 {
			t.Errorf("there is a witness for %s, but no such scenario", key)
		}
	}
}

// due tells whether witness i of n is asked about case number turn of a file: with
// -full each about the first case and one about every other, else one about the first
// case of every third file.
func due(file, turn, i, n int) bool {
	switch {
	case *full:
		return turn == 0 || i == turn%n
	default:
		return file%3 == 0 && turn == 0 && i == 0
	}
}

func mustFail(t *testing.T, s *Scenario, w witness) {
	t.Helper()
	changed := copied(s)
	if w.scenario != nil {
		w.scenario(changed)
	}
	summary, err := (&Runner{changes: w.changes}).Run(t.Context(), []*Scenario{changed})
	if err != nil {
		t.Fatal(err)
	}
	res := summary.Results[0]
	if res.Outcome != report.Fail {
		t.Fatalf("%s: it is %s, although %s (%s)", res.ID, res.Outcome, w.what, res.Because)
	}
	for _, f := range res.Failures {
		if f.Name != "invariant fired" {
			return
		}
	}
	t.Errorf("%s: although %s, nothing but the fault is missed: %v", res.ID, w.what, res.Failures)
}

// copied is a scenario that may be changed.
func copied(s *Scenario) *Scenario {
	c := *s
	c.Registries = slices.Clone(s.Registries)
	c.Steps = slices.Clone(s.Steps)
	c.Faults = slices.Clone(s.Faults)
	for i := range c.Faults {
		args := fakeregistry.Args{}
		for name, value := range c.Faults[i].Args {
			args[name] = value
		}
		c.Faults[i].Args = args
	}
	return &c
}

func scenario(what string, change func(*Scenario)) witness {
	return witness{what: what, scenario: change}
}

// withoutFaults is a registry that behaves.
var withoutFaults = scenario("its faults do not strike", func(s *Scenario) {
	s.Faults = nil
	for i := range s.Steps {
		s.Steps[i].Faults = nil
	}
})

// instead puts another fault in the place of the first.
func instead(name string) witness {
	return scenario("the fault is "+name, func(s *Scenario) {
		other := func(f *Fault) { f.Name, f.Args = name, nil }
		if len(s.Faults) > 0 {
			other(&s.Faults[0])
			return
		}
		s.Steps[0].Faults = slices.Clone(s.Steps[0].Faults)
		other(&s.Steps[0].Faults[0])
	})
}

func users(name, password string) witness {
	return scenario("the registry knows "+name+" by another password", func(s *Scenario) {
		s.Registries[0].Users = map[string]string{name: password}
	})
}

func login(name, password string) witness {
	return scenario("the user logs in as "+name+", "+password, func(s *Scenario) {
		s.Client.Login = nil
		if name != "" {
			s.Client.Login = &Login{name, password}
		}
	})
}

func cache(entries map[string]string) witness {
	return scenario("the digest cache holds something else", func(s *Scenario) { s.Client.Cache = entries })
}

func tags(local map[string]int) witness {
	return scenario("the local tags are others", func(s *Scenario) { s.Image.Tags = local })
}

func push(reference string) witness {
	return scenario("it pushes "+reference, func(s *Scenario) { s.Steps[0].Push = reference })
}

var globalBlobs = Registry{Kind: KindFake, Quirks: map[string]any{"global-blobs": true}}

func era(what string, change func(*pusher.Era)) witness {
	return witness{what: "the pusher " + what, changes: changes{era: change}}
}

// as is another pusher in the era's place, without its known deviations.
func as(what string, other func() pusher.Era) witness {
	return era("is "+what, func(e *pusher.Era) {
		*e = other()
		e.Known = nil
	})
}

func policy(what string, always pusher.Decision) witness {
	return era(what, func(e *pusher.Era) {
		e.Policy = func([]pusher.Attempt, pusher.Endpoint) pusher.Decision { return always }
	})
}

func endpoints(what string, v pusher.Version) witness {
	return era("tries "+what, func(e *pusher.Era) {
		e.Endpoints = slices.DeleteFunc(e.Endpoints, func(r pusher.EndpointRule) bool { return r.Version != v })
	})
}

// forgotten is a pusher that leaves out its first request of an operation.
func forgotten(op string) witness {
	return witness{what: "the pusher leaves out the first " + op, changes: changes{trace: func(trace wire.Trace) wire.Trace {
		i := slices.IndexFunc(trace, func(e wire.Exchange) bool { return string(e.Route.Op) == op && e.Response.Status != 0 })
		return slices.Delete(slices.Clone(trace), max(i, 0), i+1)
	}}}
}

// repeated is a pusher that sends its first request of an operation twice.
func repeated(op string) witness {
	return witness{what: "the pusher sends the first " + op + " twice", changes: changes{trace: func(trace wire.Trace) wire.Trace {
		i := slices.IndexFunc(trace, func(e wire.Exchange) bool { return string(e.Route.Op) == op && e.Failure != wire.FailureTLS })
		if i < 0 {
			return trace
		}
		return slices.Insert(slices.Clone(trace), i+1, trace[i])
	}}}
}

// reversed is a pusher that does everything the other way round.
var reversed = witness{what: "the pusher goes from the end to the beginning", changes: changes{trace: func(trace wire.Trace) wire.Trace {
	trace = slices.Clone(trace)
	slices.Reverse(trace)
	return trace
}}}

// answers is a registry that answers an operation with a status of its own, and
// does what was asked or not.
func answers(op wire.Op, status int, does bool) witness {
	what := "the registry answers " + string(op) + " with " + http.StatusText(status)
	if !does {
		what += " and does nothing"
	}
	return witness{what: what, changes: changes{registry: func(_ int, r fakeregistry.Registry) fakeregistry.Registry {
		return &stubborn{Registry: r, op: op, status: status, does: does}
	}}}
}

type stubborn struct {
	fakeregistry.Registry
	op     wire.Op
	status int
	does   bool
}

// ServeHTTP implements http.Handler.
func (s *stubborn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if wire.ParseRoute(r.Method, r.URL).Op != s.op {
		s.Registry.ServeHTTP(w, r)
		return
	}
	if s.does {
		s.Registry.ServeHTTP(&answerWriter{header: http.Header{}, sink: discard{}}, r)
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(s.status)
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
