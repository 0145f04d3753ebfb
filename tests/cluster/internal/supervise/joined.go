package supervise

import "slices"

// Joined answers for several groups as for one. A component belongs to the first group that has it.
type Joined []Group

// Start implements Group: new components go to the first group.
func (j Joined) Start(spec Spec) error { return j[0].Start(spec) }

// Do implements Group.
func (j Joined) Do(name string, verb Verb) error {
	for _, group := range j[1:] {
		list, err := group.List()
		if err == nil && slices.ContainsFunc(list, func(s Status) bool { return s.Name == name }) {
			return group.Do(name, verb)
		}
	}
	return j[0].Do(name, verb)
}

// List implements Group. A group that does not answer is left out: its own entry in the first group tells why.
func (j Joined) List() ([]Status, error) {
	all, err := j[0].List()
	for _, group := range j[1:] {
		if list, err := group.List(); err == nil {
			all = append(all, list...)
		}
	}
	return all, err
}
