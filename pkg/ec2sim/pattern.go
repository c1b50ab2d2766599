package ec2sim

// matchPattern says whether s matches a filter value: '*' stands for any run of characters, '?' for one
// character or none (as EC2's reference has it today), and a backslash takes the next character literally.
// Case matters.
func matchPattern(pattern, s string) bool {
	for len(pattern) > 0 {
		switch c := pattern[0]; {
		case c == '*':
			for i := 0; i <= len(s); i++ {
				if matchPattern(pattern[1:], s[i:]) {
					return true
				}
			}
			return false
		case c == '?':
			return matchPattern(pattern[1:], s) || s != "" && matchPattern(pattern[1:], s[1:])
		case c == '\\' && len(pattern) > 1:
			pattern = pattern[1:]
		}
		if s == "" || pattern[0] != s[0] {
			return false
		}
		pattern, s = pattern[1:], s[1:]
	}
	return s == ""
}
