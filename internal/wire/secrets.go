package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"sort"
	"strconv"
	"strings"
)

// secrets are strings that may stand in no output, in every spelling in which
// they might.
type secrets struct {
	plain []string // the secrets and their escaped forms, longest first
	cores []string // what base64 of a text with the secret in it must contain
}

// coreLimit is how long a piece of base64 must be to say anything.
const coreLimit = 6

// cutLimit is how many characters of a longer secret give it away, where a text was
// cut behind them.
const cutLimit = 24

func newSecrets(list []string) secrets {
	seen := map[string]bool{}
	var s secrets
	for _, secret := range list {
		if strings.Trim(secret, "*") == "" {
			continue
		}
		for _, form := range spellings(secret) {
			if !seen[form] && strings.Trim(form, "*") != "" {
				seen[form] = true
				s.plain = append(s.plain, form)
			}
		}
		s.cores = append(s.cores, base64Cores(secret)...)
	}
	sort.SliceStable(s.plain, func(i, j int) bool { return len(s.plain[i]) > len(s.plain[j]) })
	return s
}

func spellings(secret string) []string {
	list := []string{secret, url.QueryEscape(secret), url.PathEscape(secret)}
	quoted := strconv.Quote(secret)
	list = append(list, quoted[1:len(quoted)-1])
	if b, err := json.Marshal(secret); err == nil {
		list = append(list, string(b[1:len(b)-1]))
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(secret) == nil {
		list = append(list, strings.Trim(strings.TrimSpace(b.String()), `"`))
	}
	return list
}

// base64Cores are the characters that depend on nothing but the secret, for each
// of the three places at which it may begin within base64's groups.
func base64Cores(secret string) []string {
	var cores []string
	for pad := range 3 {
		text := append(bytes.Repeat([]byte{0}, pad), secret...)
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			code := enc.EncodeToString(text)
			from, to := (pad*8+5)/6, len(text)*8/6
			if to-from >= coreLimit {
				cores = append(cores, code[from:min(to, from+cutLimit)])
			}
		}
	}
	return cores
}

// mask replaces every spelling of every secret, until none is left.
func (s secrets) mask(text string) string {
	for _, core := range s.cores {
		for {
			i := strings.Index(text, core)
			if i < 0 {
				break
			}
			from, to := i, i+len(core)
			for from > 0 && isBase64(text[from-1]) {
				from--
			}
			for to < len(text) && isBase64(text[to]) {
				to++
			}
			text = text[:from] + maskSecret + text[to:]
		}
	}
	for again := true; again; {
		again = false
		for _, form := range s.plain {
			if strings.Contains(text, form) {
				text = strings.ReplaceAll(text, form, maskSecret)
				again = true
			}
			if masked := maskCut(maskEscaped(text, form), form); masked != text {
				text, again = masked, true
			}
		}
	}
	return text
}

// maskEscaped finds a secret of which some characters are percent-encoded,
// however the writer of the URL liked it.
func maskEscaped(text, secret string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	plain := make([]byte, 0, len(text))
	from := make([]int, 0, len(text)+1) // from[i] is where plain[i] begins in text
	for i := 0; i < len(text); {
		from = append(from, i)
		if c, err := strconv.ParseUint(text[i+1:min(i+3, len(text))], 16, 8); text[i] == '%' && err == nil && i+3 <= len(text) {
			plain = append(plain, byte(c))
			i += 3
			continue
		}
		plain = append(plain, text[i])
		i++
	}
	from = append(from, len(text))
	at := bytes.Index(plain, []byte(secret))
	if at < 0 {
		return text
	}
	return text[:from[at]] + maskSecret + text[from[at+len(secret)]:]
}

// maskCut masks a secret of which a text has no more than the beginning.
func maskCut(text, secret string) string {
	if len(secret) <= cutLimit {
		return text
	}
	at := strings.Index(text, secret[:cutLimit])
	if at < 0 {
		return text
	}
	n := cutLimit
	for n < len(secret) && at+n < len(text) && text[at+n] == secret[n] {
		n++
	}
	return text[:at] + maskSecret + text[at+n:]
}

// maskTail masks the beginning of a secret at the end of a text that was cut.
func (s secrets) maskTail(text []byte) []byte {
	for _, form := range s.plain {
		for n := min(len(form)-1, len(text)); n >= 3; n-- {
			if bytes.HasSuffix(text, []byte(form[:n])) {
				return append(bytes.Clone(text[:len(text)-n]), maskSecret...)
			}
		}
	}
	return text
}

func isBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '+' || c == '/' || c == '-' || c == '_' || c == '='
}
