package recording

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
)

// The other words that stand for what differs from run to run, or must not be
// seen. A password within Basic credentials is replaced before they are encoded:
// "Basic YWxpY2U6UEFTU1dPUkQ=" is alice:PASSWORD.
const (
	Upload   = "UUID"     // an upload session's name
	State    = "STATE"    // what a registry keeps in a session's location
	Password = "PASSWORD" //nolint:gosec // the word for one
	Token    = "TOKEN"
	Cookie   = "COOKIE"
	Date     = "DATE"
	Kernel   = "KERNEL"
	sig      = "SIG" // of a V1 token
)

// A Scrubber makes what was recorded stable and free of secrets. What it has
// learnt from some exchanges it hides wherever else it stands. It is not safe for
// concurrent use.
type Scrubber struct {
	words  map[string]string // text → the word for it
	sorted []string          // keys of words, longest first; nil when it must be made
}

// NewScrubber makes a scrubber that knows the addresses of the registry, each
// "host:port", and secrets that nothing on the wire would tell it. Empty ones are
// ignored.
func NewScrubber(hosts, secrets []string) *Scrubber {
	s := &Scrubber{words: map[string]string{}}
	for _, host := range hosts {
		s.learn(host, Host)
	}
	for _, secret := range secrets {
		s.secret(secret, Password)
	}
	return s
}

// Step scrubs a step in place: what was asked, what was on the wire, what the
// client said.
func (s *Scrubber) Step(step *Step) {
	for _, e := range step.Exchanges {
		s.Learn(e)
	}
	s.input(&step.Input)
	for i := range step.Exchanges {
		s.Exchange(&step.Exchanges[i])
	}
	for _, text := range []*string{&step.Note, &step.Error, &step.Final} {
		*text = s.Text(*text)
	}
	step.Stream = []byte(s.Text(string(step.Stream)))
}

func (s *Scrubber) input(in *Input) {
	if in.Pass != "" {
		s.secret(in.Pass, Password)
		in.Pass = Password
	}
	for _, text := range []*string{&in.Name, &in.Tag, &in.User, &in.Meta} {
		*text = s.Text(*text)
	}
	in.Argv = slices.Clone(in.Argv)
	for i := range in.Argv {
		in.Argv[i] = s.Text(in.Argv[i])
	}
}

// Text hides in a text everything that was learnt so far, and the client's ports.
func (s *Scrubber) Text(text string) string {
	if s.sorted == nil {
		for known := range s.words {
			s.sorted = append(s.sorted, known)
		}
		slices.SortFunc(s.sorted, func(a, b string) int {
			if len(a) != len(b) {
				return len(b) - len(a)
			}
			return strings.Compare(a, b)
		})
	}
	for _, known := range s.sorted {
		text = strings.ReplaceAll(text, known, s.words[known])
	}
	return hidePorts(text)
}

// learn notes that word stands for text from now on.
func (s *Scrubber) learn(text, word string) {
	if text == "" || text == word {
		return
	}
	if _, known := s.words[text]; !known {
		s.words[text] = word
		s.sorted = nil
	}
}

// Exchange scrubs an exchange in place, but for its slices, which are made anew.
func (s *Scrubber) Exchange(e *Exchange) {
	e.Path = s.Text(scrubQuery(e.Path))
	e.ReqHeaders = s.headers(e.ReqHeaders)
	e.RespHeaders = s.headers(e.RespHeaders)
	e.Err = s.Text(e.Err)
	if signed := HideSignature(e.ReqBody); signed != e.ReqBody {
		e.ReqBody, e.ReqSHA256 = signed, Varies
	}
	if body := s.body(e.ReqBody, headerOf(e.ReqHeaders, "Content-Type")); body != e.ReqBody {
		e.ReqBody, e.ReqLen = body, int64(len(body))
		if e.ReqSHA256 != Varies {
			e.ReqSHA256 = sumOf(body)
		}
		relength(e.ReqHeaders, len(body))
	}
	if body := s.body(e.RespBody, headerOf(e.RespHeaders, "Content-Type")); body != e.RespBody {
		e.RespBody, e.RespLen, e.RespSHA256 = body, int64(len(body)), sumOf(body)
		relength(e.RespHeaders, len(body))
	}
}

func (s *Scrubber) body(body, contentType string) string {
	switch {
	case body == "":
		return ""
	case strings.HasPrefix(contentType, "application/x-www-form-urlencoded"):
		body = scrubForm(body)
	case strings.HasPrefix(strings.TrimSpace(body), "{"):
		body = scrubMembers(body)
	}
	return s.Text(body)
}

func sumOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// relength puts the length of a changed body where the header tells it.
func relength(headers []string, n int) {
	for i, line := range headers {
		if name, _, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "Content-Length") {
			headers[i] = name + ": " + itoa(n)
		}
	}
}

func (s *Scrubber) headers(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = s.Header(line)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// Header scrubs one "Name: value".
func (s *Scrubber) Header(line string) string {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return s.Text(line)
	}
	blank := value[:len(value)-len(strings.TrimLeft(value, " \t"))]
	value = value[len(blank):]
	switch strings.ToLower(name) {
	case "authorization", "proxy-authorization":
		value = scrubCredentials(value)
	case "x-docker-token":
		value = hideSignatureOf(value)
	case "cookie", "set-cookie":
		value = Cookie
	case "user-agent":
		value = hideKernel(value)
	case "location":
		value = scrubQuery(value)
	default:
		if _, err := http.ParseTime(value); err == nil {
			value = Date
		}
	}
	return s.Text(name) + ":" + blank + s.Text(value)
}

// scrubCredentials hides what an Authorization header proves somebody with.
func scrubCredentials(value string) string {
	scheme, rest, ok := strings.Cut(value, " ")
	switch {
	case !ok:
		return Token
	case strings.EqualFold(scheme, "Basic"):
		user, _, ok := decodeBasic(rest)
		if !ok {
			return scheme + " " + Password
		}
		return scheme + " " + base64.StdEncoding.EncodeToString([]byte(user+":"+Password))
	case strings.EqualFold(scheme, "Token"):
		return scheme + " " + hideSignatureOf(rest)
	}
	return scheme + " " + Token
}

func decodeBasic(encoded string) (user, password string, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(raw), ":")
}

// hideSignatureOf hides the signature of a V1 token,
// `signature=…,repository="…",access=write`. One of another form is hidden whole,
// but for "true", which is a request for one.
func hideSignatureOf(token string) string {
	if token == "true" || token == "false" {
		return token
	}
	begin, rest, ok := strings.Cut(token, "signature=")
	if !ok {
		return Token
	}
	_, tail, more := strings.Cut(rest, ",")
	if more {
		tail = "," + tail
	}
	return begin + "signature=" + sig + tail
}

func hideKernel(agent string) string {
	before, rest, ok := strings.Cut(agent, "kernel/")
	if !ok {
		return agent
	}
	_, tail, more := strings.Cut(rest, " ")
	if more {
		tail = " " + tail
	}
	return before + "kernel/" + Kernel + tail
}

// hidePorts puts a word in the place of a client's ports: the digits before "->",
// or before what JSON makes of it.
func hidePorts(text string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, "127.0.0.1:")
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		i += len("127.0.0.1:")
		b.WriteString(text[:i])
		text = text[i:]
		rest := strings.TrimLeft(text, "0123456789")
		if len(rest) < len(text) && (strings.HasPrefix(rest, "->") || strings.HasPrefix(rest, `-\u003e`)) {
			b.WriteString(Ephemeral)
			text = rest
		}
	}
}
