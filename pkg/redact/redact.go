// Package redact takes out of a line what may be a secret, where the secrets are not known: the
// last words of another program. It errs on the side of taking out too much.
package redact

import (
	"slices"
	"strings"
)

// Mark stands where something was taken out.
const Mark = "(redacted)"

// Line makes one line of a text that is fit to be kept: no named secret, nothing of the shape of
// one, at most max bytes.
func Line(text string, max int) string {
	text = Shapes(Named(strings.Join(strings.Fields(text), " ")))
	if len(text) > max {
		text = strings.ToValidUTF8(text[:max], "") + "…"
	}
	return text
}

// minToken is the length from which a word of mixed letters and digits is taken for a secret: an
// AWS secret key has 40 characters, a session token hundreds. An access key's id has 20, and a
// shape of its own.
const minToken = 30

// Shapes takes out words that look like secrets: long ones of capitals, small letters and digits,
// and the ids of access keys.
func Shapes(line string) string {
	var told strings.Builder
	for line != "" {
		end := strings.IndexFunc(line, func(r rune) bool { return !inToken(r) })
		if end < 0 {
			end = len(line)
		}
		if isToken(line[:end]) {
			told.WriteString(Mark)
		} else {
			told.WriteString(line[:end])
		}
		rest := strings.IndexFunc(line[end:], inToken)
		if rest < 0 {
			rest = len(line) - end
		}
		told.WriteString(line[end : end+rest])
		line = line[end+rest:]
	}
	return told.String()
}

func inToken(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		strings.ContainsRune("+/=_-", r)
}

func isToken(word string) bool {
	const capitals, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	if isAccessKey(word) {
		return true
	}
	return len(word) >= minToken && strings.ContainsAny(word, capitals) &&
		strings.ContainsAny(word, digits) && strings.ContainsAny(word, strings.ToLower(capitals))
}

// sensitive are parts of the names that programs give to secrets.
var sensitive = []string{"secret", "token", "password", "passwd", "credential", "authorization",
	"bearer", "private"}

// Named cuts a line where it names a secret and goes on to tell it, as in
// "SecretAccessKey=…". It is for texts whose secrets are not known.
func Named(line string) string {
	line = urls(line)
	lower, end := lowerASCII(line), len(line)
	for _, name := range sensitive {
		for from := 0; ; {
			at := strings.Index(lower[from:], name)
			if at < 0 {
				break
			}
			from += at + len(name)
			flag := isFlag(line[:from-len(name)])
			if value := valueAfter(line[from:], flag || name == "bearer"); value >= 0 {
				end = min(end, from+value)
			}
		}
	}
	if end == len(line) {
		return line
	}
	return line[:end] + Mark
}

// urls takes out what may be a secret in the URLs of a line: users and queries.
func urls(line string) string {
	var told strings.Builder
	for {
		before, after, found := strings.Cut(line, "://")
		told.WriteString(before)
		if !found {
			return told.String()
		}
		told.WriteString("://")
		end := strings.IndexAny(after, " \t\"'<>")
		if end < 0 {
			end = len(after)
		}
		address, query, asks := strings.Cut(after[:end], "?")
		if at := strings.LastIndex(address, "@"); at >= 0 {
			address = Mark + address[at:]
		}
		if asks && query != "" {
			address += "?" + Mark
		}
		told.WriteString(address)
		line = after[end:]
	}
}

// lowerASCII keeps every byte in its place, as strings.ToLower does not.
func lowerASCII(text string) string {
	lower := []byte(text)
	for i, b := range lower {
		if 'A' <= b && b <= 'Z' {
			lower[i] += 'a' - 'A'
		}
	}
	return string(lower)
}

// isFlag reports whether the word that a text ends in is begun like an option, as --api-token is.
func isFlag(before string) bool {
	return strings.HasPrefix(before[strings.LastIndexAny(before, " \t\"'")+1:], "-")
}

// valueAfter is where the value begins that a secret's name is followed by, -1 for none. Some names
// have it behind a blank.
func valueAfter(rest string, blank bool) int {
	stop := strings.IndexAny(rest, "=: \t")
	if stop < 0 {
		return -1
	}
	// Files of credentials have blanks around the sign.
	sign := stop + len(rest[stop:]) - len(strings.TrimLeft(rest[stop:], " \t"))
	if sign < len(rest) && (rest[sign] == '=' || rest[sign] == ':') {
		return sign + 1
	}
	if !blank {
		return -1
	}
	return stop + 1
}

// Credential names the credential that a text obviously has written out. That is an access key's
// id, a private key, a value that is assigned to a secret's name or follows a flag of that name,
// the value of an Authorization header, or a password in a URL or for curl. It is empty where there
// is none. A value that is only a reference, as $TOKEN or {{ssm-secure:name}}, is none.
func Credential(text string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, "-----BEGIN ") && strings.Contains(line, "PRIVATE KEY-----") {
			return "a private key"
		}
		words := strings.FieldsFunc(line, func(r rune) bool { return !inToken(r) || r == '=' })
		if slices.ContainsFunc(words, isAccessKey) {
			return "an access key"
		}
		if name := assigned(line); name != "" {
			return "a value for " + name
		}
		if isAuthorized(line) {
			return "a value for authorization"
		}
		if hasPassword(line) {
			return "a password beside a user's name"
		}
	}
	return ""
}

// secretNames are the ends of names that only a secret has, without the - and _ in them. They are
// those of keys that no request may have.
var secretNames = []string{"secretaccesskey", "secretkey", "sessiontoken", "securitytoken",
	"authtoken", "accesstoken", "refreshtoken", "bearertoken", "clientsecret", "apikey", "privatekey",
	"password", "passwd", "passphrase"}

// assigned is the secret's name that a line assigns a literal value to, as in db_password=hunter2
// and --password hunter2.
func assigned(line string) string {
	plain, at := joined(line)
	for _, name := range secretNames {
		for from := 0; ; {
			found := strings.Index(plain[from:], name)
			if found < 0 {
				break
			}
			begin := from + found
			from = begin + len(name)
			rest := strings.TrimLeft(line[at[from-1]+1:], `"'`)
			blank := strings.TrimLeft(rest, " \t")
			switch {
			case blank == "":
			case blank[0] == '=' || blank[0] == ':':
				if isLiteral(strings.TrimLeft(blank[1:], " \t")) {
					return name
				}
			case len(blank) < len(rest) && isFlag(line[:at[begin]]):
				if blank[0] != '-' && isLiteral(blank) {
					return name
				}
			}
		}
	}
	return ""
}

// joined is a line in small letters without - and _, and where each byte of that is in the line.
func joined(line string) (plain string, at []int) {
	var b strings.Builder
	for i, c := range []byte(lowerASCII(line)) {
		if c != '-' && c != '_' {
			b.WriteByte(c)
			at = append(at, i)
		}
	}
	return b.String(), at
}

// isLiteral reports whether a text begins with a value that stands for itself.
func isLiteral(text string) bool {
	text = strings.TrimLeft(text, `"'`)
	return text != "" && !strings.ContainsRune("$`{<=%\r\n", rune(text[0]))
}

// isAuthorized reports whether a line has the value of an Authorization header.
func isAuthorized(line string) bool {
	_, value, found := strings.Cut(lowerASCII(line), "authorization:")
	scheme, value, _ := strings.Cut(strings.TrimLeft(value, " "), " ")
	return found && slices.Contains([]string{"basic", "bearer", "token"}, scheme) && isLiteral(value)
}

// hasPassword reports whether a line has a password in a URL, or in curl's flag for users.
func hasPassword(line string) bool {
	for rest := line; ; {
		_, after, found := strings.Cut(rest, "://")
		if !found {
			break
		}
		rest = after
		end := strings.IndexAny(after, "/?# \t\r\n\"'")
		if end < 0 {
			end = len(after)
		}
		user := after[:max(strings.LastIndexByte(after[:end], '@'), 0)]
		if _, password, told := strings.Cut(user, ":"); told && isLiteral(password) {
			return true
		}
	}
	words := strings.Fields(line)
	if !slices.Contains(words, "curl") {
		return false
	}
	for i, word := range words[:len(words)-1] {
		_, password, told := strings.Cut(words[i+1], ":")
		if (word == "-u" || word == "--user") && told && isLiteral(password) {
			return true
		}
	}
	return false
}

// isAccessKey reports whether a word holds an access key's id.
func isAccessKey(word string) bool {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	for _, prefix := range []string{"AKIA", "ASIA"} {
		_, id, found := strings.Cut(word, prefix)
		if found && len(id) >= 16 && strings.Trim(id[:16], alphabet) == "" {
			return true
		}
	}
	return false
}
