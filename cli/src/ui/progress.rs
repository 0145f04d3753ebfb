//! Progress bars and spinners, on a terminal only.
