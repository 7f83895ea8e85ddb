//! What several runs say together.

/// How many standard deviations from the mean a run may be.
const FURTHEST: f64 = 2.0;

/// Returns the one in the middle, or the mean of the two there; `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let above = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(above);
    }
    Some(f64::midpoint(*sorted.get(middle.checked_sub(1)?)?, above))
}

/// Returns the mean; `None` of nothing.
#[expect(clippy::cast_precision_loss, reason = "there are not that many runs")]
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Returns the standard deviation of a sample; `None` of fewer than two.
#[expect(clippy::cast_precision_loss, reason = "there are not that many runs")]
pub(crate) fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// Returns the places of those that are more than two standard deviations from the mean.
///
/// Of five values or fewer none can be: the furthest that one of `n` gets is `(n − 1) / √n` deviations.
pub(crate) fn outliers(values: &[f64]) -> Vec<usize> {
    let (Some(mean), Some(deviation)) = (mean(values), deviation(values)) else { return Vec::new() };
    let is_far = |value: f64| (value - mean).abs() > FURTHEST * deviation;
    values.iter().enumerate().filter(|(_, value)| is_far(**value)).map(|(place, _)| place).collect()
}

/// Returns how far apart the smallest and the largest are, as a share of the median; `None` of nothing or of zeros.
pub(crate) fn spread(values: &[f64]) -> Option<f64> {
    let median = median(values).filter(|median| *median > 0.0)?;
    let most = values.iter().copied().fold(f64::MIN, f64::max);
    let least = values.iter().copied().fold(f64::MAX, f64::min);
    Some((most - least) / median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_deviation_is_that_of_a_sample() {
        let deviation = deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert!((deviation - 2.138).abs() < 0.001, "{deviation}");
        assert_eq!(super::deviation(&[1.0]), None);
    }

    #[test]
    fn what_is_far_from_the_others_is_an_outlier() {
        assert_eq!(outliers(&[100.0, 101.0, 99.0, 100.0, 102.0, 98.0, 100.0, 20.0]), [7]);
        assert!(outliers(&[100.0, 101.0, 99.0, 100.0]).is_empty());
    }

    #[test]
    fn of_five_values_none_is_an_outlier_however_far_it_is() {
        assert!(outliers(&[1.0, 1.0, 1.0, 1.0, 1e9]).is_empty());
        assert_eq!(outliers(&[1.0, 1.0, 1.0, 1.0, 1.0, 1e9]), [5]);
    }

    #[test]
    fn equal_values_have_no_outliers_and_no_spread() {
        assert!(outliers(&[7.0; 9]).is_empty());
        assert_eq!(spread(&[7.0; 9]), Some(0.0));
        assert_eq!(spread(&[0.0]), None);
        assert_eq!(spread(&[90.0, 100.0, 120.0]), Some(0.3));
    }
}
