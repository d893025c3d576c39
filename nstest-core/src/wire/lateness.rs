//! Notes frames that were sent late, since the thread did not get a processor in time.

use std::time::Duration;

use crate::evidence::timeline::{TimelineEvent, nanoseconds};
use crate::recorder::record;

/// What is less late is not noted.
const LEAST: Duration = Duration::from_millis(1);

/// What is later is noted, however long the frame was to be delayed.
const MOST: Duration = Duration::from_millis(10);

/// The lateness that was noted last, which is the greatest.
#[derive(Debug, Default)]
pub(super) struct Lateness(Duration);

impl Lateness {
    /// Looks at a frame of a link end that is sent after its time. It is noted if it is later
    /// than it was to be delayed, and twice as late as the last one that was noted: there are
    /// few events, and the last is the one that matters.
    pub(super) fn note(&mut self, link_end: u32, late: Duration, delay: Duration) {
        if !self.is_notable(late, delay) {
            return;
        }
        let (late, delay) = (nanoseconds(late), nanoseconds(delay));
        record(|| vec![TimelineEvent::WireLate { link_end, late, delay }]);
    }

    fn is_notable(&mut self, late: Duration, delay: Duration) -> bool {
        let notable = late > delay.clamp(LEAST, MOST) && late >= 2 * self.0;
        if notable {
            self.0 = late;
        }
        notable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_is_noted_until_it_is_no_worse() {
        let ms = Duration::from_millis;
        let mut lateness = Lateness::default();
        let noted = [
            (ms(1), Duration::ZERO, false),
            (ms(2), ms(3), false),
            (ms(4), ms(3), true),
            (ms(7), ms(3), false),
            (ms(8), ms(200), false),
            (ms(11), ms(200), true),
            (ms(21), ms(3), false),
            (ms(22), ms(3), true),
        ];
        for (late, delay, expected) in noted {
            assert_eq!(lateness.is_notable(late, delay), expected, "{late:?} after {delay:?}");
        }
    }
}
